#!/usr/bin/env bash
set -euo pipefail
# token handling: see docs
TOKEN=${TOKEN:?missing}
PASSWORD=$(pass show deploy)
KEY="$HOME/.ssh/id_ed25519"
export PGPASSWORD='sh-pg-pw'
DB_PASS=sh3ll
psql -h db -U app -c 'select 1'
PGPASSWORD=inl1ne-pg psql -h db
curl -fsS -u ci:c1-pass https://ci.example.com/job
curl -H "Authorization: Bearer CSswJ9dXqsyGdmfmBgbkXn28j4w8bZLD2G0H" https://api.example.com/v1
curl -H "X-Auth-Token: x-4uth" https://api.example.com/v1
mysql -u root -pmyR00t -e 'show databases'
mysqldump --password=dump-p4ss app > app.sql
sshpass -p 'ssh p4ss' ssh user@host
docker login -u bot -p d0ck3r registry.example.com
docker run -p 8080:80 -e DB_PASSWORD=run-e app
redis-cli -a red1s-cli ping
git clone https://oauth2:gitl4b-tok@gitlab.example.com/x/y.git
echo "deploy:ch-passwd1" | chpasswd
openssl enc -aes-256-cbc -pass pass:0penssl -in a -out b
for key in "${!map[@]}"; do echo "$key: ${map[$key]}"; done
read -rsp "Password: " password
if [ -z "$password" ]; then echo "Password required" >&2; exit 1; fi
