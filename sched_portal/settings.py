"""Django's settings, the same for `make run`, tests and production; what differs comes from the environment."""

import datetime as dt
import ssl
from pathlib import Path
from typing import Any

import dj_database_url

from sched_portal.environment import integer, number, secret, text, words

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(text("SCHED_VAR", str(BASE_DIR / "var"))).resolve()

DEBUG = text("SCHED_DEBUG", "0") == "1"
SECRET_KEY = secret("SECRET_KEY", VAR_DIR / "secret-key")
ALLOWED_HOSTS = words("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = words("CSRF_TRUSTED_ORIGINS")
PORTAL_HOST = text("PORTAL_HOST", "127.0.0.1")
PORTAL_PORT = integer("PORTAL_PORT", 8000)

INSTALLED_APPS = [
    "daphne",
    "sched_portal.apps.OperatorsAdminConfig",  # django.contrib.admin, with our order
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
    "channels",
    "rest_framework",
    "drf_spectacular",
    "store",
    "events",
    "providers",
    "claims",
    "agents",
    "conductor",
    "api",
    "dashboard",
    "simulate",
]
MIDDLEWARE = [
    "api.exchange.ExchangeMiddleware",  # outermost: the exchange's id, its time
    "sched_portal.headers.HeadersMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "dashboard.sessions.SessionInUse",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",  # 429 in place of the answer to a login that was one too many
    "api.microversions.MicroversionMiddleware",  # innermost, and synchronous: see api/exchange.py
]
ROOT_URLCONF = "sched_portal.urls"
ASGI_APPLICATION = "sched_portal.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# Relational data: users, groups, sessions, admin log, API tokens.
DATABASES: dict[str, Any] = {
    "default": dj_database_url.parse(
        text("DATABASE_URL", f"sqlite:///{VAR_DIR / 'portal.sqlite3'}"), conn_max_age=60, conn_health_checks=True
    )
}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 20,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "OPTIONS": {"MAX_ENTRIES": 10_000}}}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
AUTHENTICATION_BACKENDS = ["dashboard.login_limit.LoginLimit", "django.contrib.auth.backends.ModelBackend"]
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/"
BEHIND_PROXY = text("BEHIND_PROXY", "0") == "1"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None

# Wrong passwords, counted by django-axes: dashboard/login_limit.py.
LOGIN_FAILURES = integer("LOGIN_FAILURES", 10)
LOGIN_FAILURES_ADDRESS = integer("LOGIN_FAILURES_ADDRESS", 100)
AXES_FAILURE_LIMIT = LOGIN_FAILURES
AXES_COOLOFF_TIME = dt.timedelta(seconds=integer("LOGIN_WINDOW", 900))
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_HANDLER = "dashboard.login_limit.Attempts"
AXES_CLIENT_IP_CALLABLE = "dashboard.login_limit.address_of"
AXES_LOCKOUT_CALLABLE = "dashboard.login_limit.refused"
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # or whoever goes on trying keeps the name locked for ever
AXES_DISABLE_ACCESS_LOG = True  # it would grow without end
AXES_ENABLE_ADMIN = AXES_VERBOSE = False
AXES_SENSITIVE_PARAMETERS = ["username"]  # people type their password there

HTTPS_ONLY = text("HTTPS_ONLY", "0") == "1"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS_ONLY
# __Host-: a browser takes such a cookie from this very host only, and over HTTPS only; so it has the name only there.
SESSION_COOKIE_NAME = "__Host-sessionid" if HTTPS_ONLY else "sessionid"
CSRF_COOKIE_NAME = "__Host-csrftoken" if HTTPS_ONLY else "csrftoken"
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_ENGINE = "dashboard.sessions"
SESSION_COOKIE_AGE = integer("SESSION_IDLE", 14_400)
SESSION_LONGEST = integer("SESSION_LONGEST", 43_200)
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SECURE_SSL_REDIRECT = HTTPS_ONLY
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS_ONLY else 0
SESSION_COOKIE_HTTPONLY = True
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
DATA_UPLOAD_MAX_MEMORY_SIZE = integer("MAX_BODY_BYTES", 2_621_440)

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
# What others made comes by npm, at set-up; see assets/package.json.
STATICFILES_DIRS = [BASE_DIR / "static", ("lib/uplot", BASE_DIR / "assets" / "node_modules" / "uplot" / "dist")]
WHITENOISE_USE_FINDERS = True  # so that a test run and a first start need no collectstatic before them
WHITENOISE_MAX_AGE = 3600

# Cassandra. Nothing is started when CASSANDRA_HOSTS is set; else the launcher's local node is used.
CASSANDRA: dict[str, Any] = {
    "hosts": words("CASSANDRA_HOSTS") or [text("CLUSTER_ADDRESS", "127.0.1.1")],
    "port": integer("CASSANDRA_PORT", 9042),
    "local_datacenter": text("CASSANDRA_LOCAL_DC", "dc1"),
    "keyspace": text("CASSANDRA_KEYSPACE", "sched"),
    "replication": words("CASSANDRA_REPLICATION", "dc1:1"),
    "user": text("CASSANDRA_USER"),
    "password": text("CASSANDRA_PASSWORD"),
    "tls_ca": text("CASSANDRA_TLS_CA"),
    "tls_certificate": text("CASSANDRA_TLS_CERT"),
    "tls_key": text("CASSANDRA_TLS_KEY"),
    "tls_version": ssl.TLSVersion.TLSv1_2,
    "request_timeout": number("CASSANDRA_REQUEST_TIMEOUT", 6.0),
    "connect_timeout": number("CASSANDRA_CONNECT_TIMEOUT", 5.0),
}

# The scheduler and the conductor. Seconds unless said otherwise.
SCHEDULE_DEADLINE = number("SCHEDULE_DEADLINE", 20.0)
SCHEDULE_ALTERNATES = integer("SCHEDULE_ALTERNATES", 5)
SCHEDULE_SUBSET = integer("SCHEDULE_SUBSET", 5)
SCHEDULE_SAMPLE_HOSTS = integer("SCHEDULE_SAMPLE_HOSTS", 16)
SCHEDULE_FILTERS = words("SCHEDULE_FILTERS", "alive,state,capacity,properties,traits,aggregates,crowd,builds")
SCHEDULE_WEIGHERS = words("SCHEDULE_WEIGHERS", "free_amount=1.0,failed_builds=2.0")
POLICY_REFRESH = number("POLICY_REFRESH", 2.0)
PORTAL_CELL = text("PORTAL_CELL")
SCHEDULE_MAX_PLANS = integer("SCHEDULE_MAX_PLANS", 4)
CLAIM_DEADLINE = number("CLAIM_DEADLINE", 600.0)
ANSWER_DEADLINE = number("ANSWER_DEADLINE", 60.0)  # seconds from the claim until its host must have begun
RESCHEDULE_SECONDS = number("RESCHEDULE_SECONDS", 600.0)  # after the last failure, without a place: then it fails
RESCHEDULE_LIMIT = integer("RESCHEDULE_LIMIT", 3)  # times that one claim of a request is placed anew
HEARTBEAT_TTL = integer("HEARTBEAT_TTL", 25)
HEARTBEATS_A_SECOND = integer("HEARTBEATS_A_SECOND", 1000)  # of a cell; larger ones are told to beat less often
LIVENESS_INTERVAL = number("LIVENESS_INTERVAL", 3.0)
SILENT_AT_ONCE = integer("SILENT_AT_ONCE", 20)  # hosts declared silent, and moved on from, in one round
SILENT_SHARE = number("SILENT_SHARE", 0.1)  # of a cell's hosts: more that fall silent at once are waited for
HEARTBEAT_INTERVAL = integer("HEARTBEAT_INTERVAL", 10)
EVENTS_TTL = integer("EVENTS_TTL", 7 * 86400)
EVENTS_LAG = number("EVENTS_LAG", 0.25)
EVENTS_SETTLE = number("EVENTS_SETTLE", 2.0)
REQUESTS_TTL = integer("REQUESTS_TTL", 30 * 86400)
REQUESTS_KEPT = integer("REQUESTS_KEPT", 2 * 86400)
PROVIDER_HISTORY_TTL = integer("PROVIDER_HISTORY_TTL", 366 * 86400)
CONDUCTOR_INTERVAL = number("CONDUCTOR_INTERVAL", 2.0)
REQUEST_LEASE = number("REQUEST_LEASE", 5.0)
CLOSED_KEPT = number("CLOSED_KEPT", 60.0)
CLAIMS_TOGETHER = integer("CLAIMS_TOGETHER", 8)
REPORTS_TOGETHER = integer("REPORTS_TOGETHER", 64)
FAILPOINT = text("FAILPOINT")
SCHEDULE_MAX_COUNT = integer("SCHEDULE_MAX_COUNT", 1000)
HEADROOM_SECONDS = number("HEADROOM_SECONDS", 10.0)
EXPORT_ROWS = integer("EXPORT_ROWS", 100_000)  # of a list, at most
DASHBOARD_INTERVAL = number("DASHBOARD_INTERVAL", 0.25)
DASHBOARD_RECORD = text("DASHBOARD_RECORD", "1") == "1"  # conductors keep every cell's figures and checkpoints
TIMELINE_CHECKPOINT = number("TIMELINE_CHECKPOINT", 300.0)  # seconds between two checkpoints of a cell
SIMULATED_HOSTS = integer("SIMULATED_HOSTS", 100)

CHANNEL_LAYERS: dict[str, Any] = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}

# The API. A caller is a token's user, an agent or a browser's user; a stranger is an address without one. 0: no limit.
THROTTLE_WINDOW = integer("THROTTLE_WINDOW", 10)
THROTTLE_CALLER = integer("THROTTLE_CALLER", 20_000)
THROTTLE_STRANGER = integer("THROTTLE_STRANGER", 2_000)
REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "api.authenticate.TokenAuthentication",
        "api.authenticate.BrowserAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": [],  # api.view.View.roles, for each method
    "DEFAULT_THROTTLE_CLASSES": ["api.throttle.WindowThrottle"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "api.describe.RouteSchema",
    "EXCEPTION_HANDLER": "api.errors.handle",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Sched Portal",
    "DESCRIPTION": "A cloud scheduler that keeps no scheduler state: claims are lightweight transactions on Cassandra.",
    "VERSION": "1.0",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/",
    "POSTPROCESSING_HOOKS": ["api.describe.finish"],
}

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": text("LOG_LEVEL", "WARNING")},
    "loggers": {
        # A wrong Host header is its sender's mistake: a 400, not a traceback in our log.
        "django.security.DisallowedHost": {"level": "CRITICAL"},
        "sched_portal": {"level": text("LOG_LEVEL", "INFO")},
    },
}
