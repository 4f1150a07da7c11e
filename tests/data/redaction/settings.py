import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent
SECRET_KEY = 'django-insecure-U8JZpDE0iGXlD6gNCFbaEPFjbD0kH8#$'
DEBUG = False
ALLOWED_HOSTS = ["example.com"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "app",
        "USER": "app",
        "PASSWORD": "pg-Passw0rd",
        "HOST": os.environ.get("DB_HOST", "localhost"),
    },
    "replica": {
        "PASSWORD": os.environ["REPLICA_PASSWORD"],
    },
}
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
]
EMAIL_HOST_PASSWORD = os.getenv("EMAIL_PASSWORD", "fallback-pw")
SESSION_COOKIE_AGE = 1209600
SESSION_ENGINE = "django.contrib.sessions.backends.cache"
CSRF_COOKIE_SECURE = True
STRIPE_KEY: str = "OX9YIMtCFIPzgNZpBdfdYfkM"
TOKEN_LIFETIME = 3600
max_tokens = 4096
password_field = "password"

def login(user: str, password: str, token=None) -> bool:
    token = token or get_token(user)
    key = user.key
    if not check_password(password, user.password):
        raise ValueError("password: wrong value")
    return authenticate(user=user, password=password)

client = connect(host="db", user="app", password="c0nnect-me", timeout=5)
