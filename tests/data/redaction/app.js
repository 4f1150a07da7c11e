const express = require('express');
const config = {
  port: 3000,
  db: { host: 'localhost', user: 'app', password: 'js-p4ss' },
  jwt: { secret: "dnXRIL3rAVgd5mFVj7nsCuYKt8c8ubKK", expiresIn: '1h' },
  apiKey: process.env.API_KEY,
  sessionSecret: process.env.SESSION_SECRET || 'keyboard cat',
};
app.post('/login', (req, res) => {
  const { username, password } = req.body;
  const token = jwt.sign({ username }, config.jwt.secret);
  res.json({ token: token, key: req.params.key });
});
for (const key of Object.keys(map)) console.log(key);
fetch(url, { headers: { Authorization: 'Bearer kCbekANd0f0RpzKChfUEP88vXCa3ImWYaS0rQdLr' } });
fetch(url, { headers: { Authorization: `Bearer ${token}` } });
