"""Providers' token shapes, as data: how each begins, what follows, and who published it.

A row's ``start`` is in the syntax that Python's ``re`` and Rust's ``regex`` share, for the gate looks for it, too; it
begins with a literal. ``rest`` is Python's. Sources: a provider's own documentation, GitHub's list of secret scanning
patterns ("GitHub secret scanning", docs.github.com, Supported secret scanning patterns), or a rule of gitleaks
(config/gitleaks.toml of gitleaks/gitleaks) or detect-secrets, each by its name.
"""

from __future__ import annotations

from typing import NamedTuple

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


class Shape(NamedTuple):
    """One provider's token: ``start`` and then ``rest``.

    ``random``: what follows might be an identifier, so it must look generated. ``tail``: what the gate wants to see
    behind ``start``, in Rust's syntax; more where ``start`` is short.
    """

    provider: str
    start: str
    rest: str
    source: str
    random: bool = False
    tail: str = r"[A-Za-z0-9_.\-+/=~:$%|,]{6}"


class Infix(NamedTuple):
    """A token that is known by what is inside it: ``pattern`` is Python's, ``gate`` Rust's and wider."""

    provider: str
    pattern: str
    gate: str
    source: str


_GH = "GitHub secret scanning"

SHAPES = (
    # Clouds
    Shape("AWS", r"(?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA)", r"[A-Z0-9]{16}(?![A-Za-z0-9])", "AWS IAM: unique identifiers"),
    Shape(
        "AWS Bedrock",
        r"ABSK",
        r"[A-Za-z0-9+/]{100,270}={0,2}",
        "gitleaks aws-amazon-bedrock-api-key-long-lived",
        tail=r"[A-Za-z0-9+/]{60}",
    ),
    Shape(
        "AWS Bedrock",
        r"bedrock-api-key-",
        r"YmVkcm9jay[A-Za-z0-9+/=]{20,3000}",
        "gitleaks aws-amazon-bedrock-api-key-short-lived",
    ),
    Shape("Google Cloud", r"AIza", r"[\w-]{35}", "gitleaks gcp-api-key"),
    Shape("Google OAuth", r"ya29\.", r"[\w-]{20,400}", "Google OAuth 2.0: access tokens"),
    Shape("Google OAuth", r"GOCSPX-", r"[\w-]{20,40}", _GH),
    Shape("Google OAuth", r"1//0", r"[\w-]{30,200}", "Google OAuth 2.0: refresh tokens", tail=r"[A-Za-z0-9_\-]{30}"),
    Shape(
        "Firebase",
        r"AAAA",
        r"[\w-]{7}:APA91b[\w-]{100,200}",
        "Firebase: legacy server keys",
        tail=r"[A-Za-z0-9_\-]{7}:APA91b",
    ),
    Shape("Alibaba Cloud", r"LTAI", r"[A-Za-z0-9]{12,24}(?!\w)", "gitleaks alibaba-access-key-id"),
    Shape("Tencent Cloud", r"AKID", r"[A-Za-z0-9]{32}(?!\w)", _GH),
    Shape("Yandex Cloud", r"AQVN", r"[\w-]{35,38}(?![\w-])", "gitleaks yandex-api-key", tail=r"[A-Za-z0-9_\-]{35}"),
    Shape(
        "Yandex Cloud",
        r"t1\.",
        r"[A-Z0-9a-z_-]{10,400}[=]{0,2}\.[A-Z0-9a-z_-]{86}[=]{0,2}",
        "gitleaks yandex-access-token",
        tail=r"[A-Za-z0-9_\-]{10,400}=*\.",
    ),
    Shape(
        "Yandex Cloud",
        r"YC",
        r"[\w-]{38}(?![\w-])",
        "gitleaks yandex-aws-access-token",
        random=True,
        tail=r"[A-Za-z0-9_\-]{38}",
    ),
    Shape("DigitalOcean", r"do[opr]_v1_", r"[0-9a-f]{40,80}", "DigitalOcean API: tokens"),
    Shape("Heroku", r"HRKU-", r"[\w-]{30,80}", "Heroku: platform API tokens"),
    Shape("Fly.io", r"FlyV1 fm", r"\d_[\w+/=,-]{30,2000}", "Fly.io: access tokens"),
    Shape("Fly.io", r"(?:fm1[ar]_|fm2_)", r"[A-Za-z0-9+/]{60,2000}={0,3}", "gitleaks flyio-access-token"),
    Shape("Fly.io", r"fo1_", r"[\w-]{40,50}", "gitleaks flyio-access-token", tail=r"[A-Za-z0-9_\-]{40}"),
    Shape("Vercel", r"vercel_blob_rw_", r"\w{20,60}", "Vercel Blob: tokens"),
    Shape(
        "Vercel", r"vc[pcairk]_", r"[A-Za-z0-9]{24,80}", "Vercel: token formats", random=True, tail=r"[A-Za-z0-9]{24}"
    ),
    Shape("Netlify", r"nf[bcopu]_", r"[A-Za-z0-9]{30,50}", "Netlify: token formats", tail=r"[A-Za-z0-9]{30}"),
    Shape(
        "Cloudflare",
        r"v1\.0-",
        r"[0-9a-f]{24}-[0-9a-f]{146}",
        "gitleaks cloudflare-origin-ca-key",
        tail=r"[0-9a-f]{24}-",
    ),
    Shape(
        "Cloudflare",
        r"cf(?:ut|at|k)_",
        r"[\w-]{40,60}",
        "Cloudflare: token formats",
        random=True,
        tail=r"[A-Za-z0-9_\-]{40}",
    ),
    Shape("Render", r"rnd_", r"[A-Za-z0-9]{28,40}(?!\w)", "Render API: keys", random=True, tail=r"[A-Za-z0-9]{28}"),
    Shape("Scalingo", r"tk-us-", r"[\w-]{48}", "gitleaks scalingo-api-token"),
    Shape("Scaleway", r"SCW", r"[A-Z0-9]{17}(?!\w)", "Scaleway IAM: API keys", random=True, tail=r"[A-Z0-9]{17}"),
    Shape("Neon", r"napi_", r"[a-z0-9]{40,80}", _GH),
    # Source code, packages, builds
    Shape("GitHub", r"gh[pousr]_", r"[A-Za-z0-9]{20,255}", "GitHub: token prefixes"),
    Shape("GitHub", r"github_pat_", r"\w{20,255}", "GitHub: token prefixes"),
    Shape(
        "GitLab",
        r"gl(?:pat|oas|dt|rt|rtr|cbt|ptt|ft|imt|agent|soat|ffct|wt)-",
        r"[\w\-.]{16,300}",
        "GitLab: token prefixes",
    ),
    Shape("GitLab", r"GR1348941", r"[\w-]{16,40}", "GitLab: runner registration tokens"),
    Shape("GitLab", r"_gitlab_session=", r"[0-9a-z]{32}", "gitleaks gitlab-session-cookie"),
    Shape("Bitbucket", r"ATBB", r"[A-Za-z0-9]{24,40}", "Atlassian: app passwords"),
    Shape("Atlassian", r"AT(?:ATT3|CTT3|OTT3)", r"[\w=-]{40,300}", "gitleaks atlassian-api-token"),
    Shape("Trello", r"ATTA", r"[0-9a-f]{64,72}", _GH),
    Shape("npm", r"npm_", r"[A-Za-z0-9]{30,60}", "npm: token format", random=True, tail=r"[A-Za-z0-9]{30}"),
    Shape("PyPI", r"pypi-AgE", r"[\w-]{16,400}", "PyPI: API tokens"),
    Shape("RubyGems", r"rubygems_", r"[0-9a-f]{32,64}", "gitleaks rubygems-api-token"),
    Shape("crates.io", r"cio", r"[A-Za-z0-9]{32}(?!\w)", _GH, random=True, tail=r"[A-Za-z0-9]{32}"),
    Shape("NuGet", r"oy2", r"[a-z0-9]{43}(?!\w)", _GH, random=True, tail=r"[a-z0-9]{43}"),
    Shape("Clojars", r"CLOJARS_", r"[A-Za-z0-9]{60}", "gitleaks clojars-api-token"),
    Shape("Packagist", r"packagist_(?:ack|org|out|uuat)_", r"\w{20,100}", _GH),
    Shape("Artifactory", r"AKCp", r"[A-Za-z0-9]{50,80}", "gitleaks artifactory-api-key"),
    Shape("Artifactory", r"cmVmd", r"[A-Za-z0-9]{55,64}", "gitleaks artifactory-reference-token"),
    Shape("Docker Hub", r"dckr_[op]at_", r"[\w-]{20,60}", "Docker Hub: access tokens"),
    Shape("Docker Swarm", r"SWMTKN-1-", r"[a-z0-9]{30,60}-[a-z0-9]{20,30}", "docker swarm join-token"),
    Shape("Docker Swarm", r"SWMKEY-1-", r"[\w+/-]{30,60}", "docker swarm unlock-key"),
    Shape("k3s", r"K10", r"[0-9a-f]{40,70}::[\w-]{1,40}:[\w.]{16,80}", "k3s token", tail=r"[0-9a-f]{40}"),
    Shape("OpenShift", r"sha256~", r"[\w-]{43}(?![\w-])", "gitleaks openshift-user-token"),
    Shape("CircleCI", r"CCI(?:PAT|PRJ)_", r"\w{30,80}", "CircleCI: API tokens"),
    Shape("Buildkite", r"bk[a-z]{2}_", r"[0-9a-f]{40}", _GH, tail=r"[0-9a-f]{40}"),
    Shape(
        "Harness",
        r"[ps]at\.",
        r"[\w-]{22}\.[0-9a-f]{24}\.[A-Za-z0-9]{20}",
        "gitleaks harness-api-key",
        tail=r"[A-Za-z0-9_\-]{22}\.",
    ),
    Shape(
        "Octopus Deploy",
        r"API-",
        r"[A-Z0-9]{26}(?!\w)",
        "gitleaks octopus-deploy-api-key",
        random=True,
        tail=r"[A-Z0-9]{26}",
    ),
    Shape("SonarQube", r"sq[apu]_", r"[0-9a-f]{40}", "SonarQube: tokens", tail=r"[0-9a-f]{40}"),
    Shape(
        "Sourcegraph",
        r"sgp_",
        r"(?:[0-9a-f]{16}_|local_)?[0-9a-f]{40}",
        "gitleaks sourcegraph-access-token",
        tail=r"[0-9a-z]{5}",
    ),
    Shape("Snyk", r"snyk_[a-z]{2,4}\.", r"[\w.-]{30,120}", "Snyk: token formats"),
    Shape(
        "Infracost",
        r"ico-",
        r"[A-Za-z0-9]{32}(?!\w)",
        "gitleaks infracost-api-token",
        random=True,
        tail=r"[A-Za-z0-9]{32}",
    ),
    # Secrets, infrastructure, networks
    Shape(
        "HashiCorp Vault",
        r"[sbr]\.",
        r"[A-Za-z0-9]{24}(?![\w.(])",
        "Vault: tokens before 1.10",
        random=True,
        tail=r"[A-Za-z0-9]{24}",
    ),
    Shape("HashiCorp Vault", r"hv[sbr]\.", r"[\w-]{20,300}", "Vault: token prefixes"),
    Shape("Doppler", r"dp\.(?:pt|st|ct|sa|scim|audit)\.", r"[\w.-]{30,80}", "Doppler: token formats"),
    Shape("1Password", r"ops_eyJ", r"[\w+/-]{40,2000}", "gitleaks 1password-service-account-token"),
    Shape(
        "1Password",
        r"A3-",
        r"[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})(?:-[A-Z0-9]{5}){3}",
        "gitleaks 1password-secret-key",
        tail=r"[A-Z0-9]{6}-",
    ),
    Shape("Pulumi", r"pul-", r"[0-9a-f]{40}", "gitleaks pulumi-api-token", tail=r"[0-9a-f]{40}"),
    Shape("age", r"AGE-SECRET-KEY-", r"(?:PQ-)?1[A-Za-z0-9]{20,100}", "age: specification"),
    Shape("Tailscale", r"tskey-", r"[a-z]*-?[\w-]{10,100}", "Tailscale: key prefixes"),
    Shape("Defined Networking", r"dnkey-", r"[\w=-]{26}-[\w=-]{52}", "gitleaks defined-networking-api-token"),
    Shape(
        "Prefect",
        r"pn[ub]_",
        r"[A-Za-z0-9]{36}(?!\w)",
        "gitleaks prefect-api-token",
        random=True,
        tail=r"[A-Za-z0-9]{36}",
    ),
    Shape(
        "LaunchDarkly", r"(?:sdk|mob|api)-", rf"{UUID}(?![\w-])", "LaunchDarkly: keys", tail=r"[0-9a-f]{8}-[0-9a-f]{4}-"
    ),
    # Data
    Shape("Databricks", r"dapi", r"[0-9a-f]{32,40}(?:-\d)?", "gitleaks databricks-api-token", tail=r"[0-9a-f]{32}"),
    Shape("PlanetScale", r"pscale_(?:tkn|pw|oauth)_", r"[\w.=-]{20,80}", "gitleaks planetscale-api-token"),
    Shape("Supabase", r"sbp_", r"(?:oauth_)?[0-9a-f]{40}", _GH, tail=r"[0-9a-z_]{40}"),
    Shape("Supabase", r"sb_secret_", r"[\w-]{20,60}", "Supabase: API keys"),
    Shape(
        "ClickHouse Cloud",
        r"4b1d",
        r"[A-Za-z0-9]{38}(?!\w)",
        "gitleaks clickhouse-cloud-api-secret-key",
        random=True,
        tail=r"[A-Za-z0-9]{38}",
    ),
    Shape("MongoDB Atlas", r"mdb_sa_sk_", r"[\w-]{30,60}", _GH),
    Shape("dbt", r"dbt[cu]_", r"[\w=-]{30,80}", "dbt Cloud: tokens", random=True, tail=r"[A-Za-z0-9_=\-]{30}"),
    Shape("Pinecone", r"pcsk_", r"\w{40,90}", _GH),
    Shape("Snowflake", r"ver:1-hint:", r"\d{5,20}-ETMs[\w+/=]{40,600}", "Snowflake connectors: session tokens"),
    # Observability
    Shape("Grafana", r"gl(?:sa|c)_", r"[\w+/=]{20,200}", "gitleaks grafana-service-account-token"),
    Shape(
        "Grafana", r"eyJrIjoi", r"[A-Za-z0-9+/]{60,400}={0,3}", "gitleaks grafana-api-key", tail=r"[A-Za-z0-9+/]{30}"
    ),
    Shape("New Relic", r"NR(?:AK|JS|II|AA|RA)-", r"[\w-]{19,60}", "New Relic: API keys"),
    Shape("Sentry", r"sntry[su]_", r"[\w=+/-]{30,250}", "Sentry: auth tokens"),
    Shape("Dynatrace", r"dt0[a-z]\d\d\.", r"[A-Za-z0-9]{8,24}\.[A-Za-z0-9]{64}", "Dynatrace: token format"),
    Shape("PagerDuty", r"pdus\+_[\w-]", r"[\w+-]{15,60}", _GH),
    Shape("Honeycomb", r"hc[axb][a-z]{2}_", r"[a-z0-9]{50,70}", _GH, tail=r"[a-z0-9]{50}"),
    Shape("Axiom", r"xa(?:at|pt)-", rf"{UUID}", "Axiom: tokens", tail=r"[0-9a-f]{8}-"),
    Shape("PostHog", r"ph[xs]_", r"[A-Za-z0-9]{40,60}", _GH, random=True, tail=r"[A-Za-z0-9]{40}"),
    # Chat and mail
    Shape("Slack", r"xox[abeoprs](?:\.xox[bp])?-", r"[\w-]{10,300}", "Slack: token types"),
    Shape("Slack", r"xapp-", r"\d-[\w-]{10,300}", "Slack: token types"),
    Shape("SendGrid", r"SG\.", r"[\w-]{16,40}\.[\w-]{16,80}", "gitleaks sendgrid-api-token"),
    Shape("Mailgun", r"key-", r"[0-9a-f]{32}(?!\w)", "gitleaks mailgun-private-api-token", tail=r"[0-9a-f]{32}"),
    Shape("Brevo", r"xkeysib-", r"[0-9a-f]{64}-[A-Za-z0-9]{16}", "gitleaks sendinblue-api-token"),
    Shape(
        "Resend",
        r"re_",
        r"[A-Za-z0-9]{8}_[A-Za-z0-9]{20,30}(?!\w)",
        "Resend: API keys",
        random=True,
        tail=r"[A-Za-z0-9]{8}_[A-Za-z0-9]{20}",
    ),
    Shape("Mandrill", r"md-", r"[\w-]{22}(?![\w-])", "Mandrill: API keys", random=True, tail=r"[A-Za-z0-9_\-]{22}"),
    Shape("Twilio", r"SK", r"[0-9a-fA-F]{32}(?!\w)", "gitleaks twilio-api-key", tail=r"[0-9a-fA-F]{32}"),
    Shape("ntfy", r"tk_", r"[a-z0-9]{29}(?!\w)", "ntfy: access tokens", random=True, tail=r"[a-z0-9]{29}"),
    Shape("Intercom", r"dG9rO", r"[A-Za-z0-9+/]{50,64}={0,2}", _GH),
    Shape("HubSpot", r"pat-(?:na|eu|ap)\d-", rf"{UUID}", "HubSpot: private apps"),
    Shape("Typeform", r"tfp_", r"[\w.=-]{59}", "gitleaks typeform-api-token", tail=r"[A-Za-z0-9_.=\-]{59}"),
    # Payments and shops
    Shape("Stripe", r"(?:sk|rk|pk_sec)_(?:live|test|prod|sbox)_", r"[A-Za-z0-9]{10,250}", "Stripe: API keys"),
    Shape("Stripe", r"whsec_", r"[\w+/=]{16,100}", "Stripe: webhook signatures"),
    Shape("Square", r"sq0(?:atp|csp|idp)-", r"[\w-]{20,50}", "gitleaks square-access-token"),
    Shape(
        "Braintree",
        r"access_token\$(?:production|sandbox)\$",
        r"[0-9a-z]{16}\$[0-9a-f]{32}",
        "detect-secrets / PayPal Braintree",
    ),
    Shape("Shopify", r"shp(?:at|ca|pa|ss|tka|it|ua)_", r"[0-9a-fA-F]{24,64}", "gitleaks shopify-access-token"),
    Shape("Razorpay", r"rzp_(?:live|test)_", r"[A-Za-z0-9]{14,24}", "Razorpay: API keys"),
    Shape("Flutterwave", r"FLWSECK(?:_TEST)?-", r"[a-h0-9]{12,32}(?:-X)?", "gitleaks flutterwave-secret-key"),
    Shape("Plaid", r"access-(?:sandbox|development|production)-", rf"{UUID}", "gitleaks plaid-api-token"),
    Shape("Duffel", r"duffel_(?:test|live)_", r"[\w=-]{43}", "gitleaks duffel-api-token"),
    Shape("EasyPost", r"EZ[AT]K", r"[A-Za-z0-9]{50,60}", "gitleaks easypost-api-token"),
    Shape("Shippo", r"shippo_(?:live|test)_", r"[0-9a-fA-F]{40}", "gitleaks shippo-api-token"),
    Shape("Lob", r"(?:live|test)_", r"[0-9a-f]{35}(?!\w)", "gitleaks lob-api-key", tail=r"[0-9a-f]{35}"),
    Shape("Paddle", r"pdl_(?:live|sdbx)_apikey_", r"\w{40,80}", _GH),
    # Models
    Shape("OpenAI", r"sk-(?:proj|svcacct|admin|None)-", r"[\w-]{16,250}", "OpenAI: API keys"),
    Shape("Anthropic", r"sk-ant-", r"[\w-]{16,250}", "gitleaks anthropic-api-key"),
    Shape("OpenRouter", r"sk-(?:or-v1|lf|helicone)-", r"[\w-]{16,250}", "OpenRouter: API keys"),
    Shape(
        "OpenAI and alike", r"sk-", r"(?=[A-Za-z]*\d)[A-Za-z0-9]{20,100}", "OpenAI: API keys", tail=r"[A-Za-z0-9]{20}"
    ),
    Shape("ElevenLabs", r"sk_", r"[0-9a-f]{48}(?!\w)", _GH, tail=r"[0-9a-f]{48}"),
    Shape(
        "Hugging Face",
        r"(?:hf_|api_org_)",
        r"[A-Za-z0-9]{20,60}(?!\w)",
        "gitleaks huggingface-access-token",
        random=True,
        tail=r"[A-Za-z0-9]{20}",
    ),
    Shape("Groq", r"gsk_", r"[A-Za-z0-9]{30,80}", "Groq: API keys", random=True, tail=r"[A-Za-z0-9]{30}"),
    Shape("Replicate", r"r8_", r"[A-Za-z0-9]{30,60}", "Replicate: API tokens", random=True, tail=r"[A-Za-z0-9]{30}"),
    Shape("xAI", r"xai-", r"[A-Za-z0-9]{40,120}", _GH, tail=r"[A-Za-z0-9]{40}"),
    Shape("Perplexity", r"pplx-", r"[A-Za-z0-9]{30,80}", "gitleaks perplexity-api-key"),
    Shape("NVIDIA", r"nvapi-", r"[\w-]{40,90}", _GH),
    Shape(
        "Fireworks", r"fw_", r"[A-Za-z0-9]{20,40}(?!\w)", "Fireworks: API keys", random=True, tail=r"[A-Za-z0-9]{20}"
    ),
    Shape("Together", r"tgp_v1_", r"[\w-]{30,60}", "Together: API keys"),
    Shape("Cerebras", r"csk-", r"[a-z0-9]{40,60}", "Cerebras: API keys", tail=r"[a-z0-9]{40}"),
    Shape("Tavily", r"tvly-", r"[\w-]{20,60}", "Tavily: API keys", random=True),
    Shape("Firecrawl", r"fc-", r"[0-9a-f]{32}(?!\w)", "Firecrawl: API keys", tail=r"[0-9a-f]{32}"),
    Shape("Apify", r"apify_api_", r"[A-Za-z0-9]{30,50}", _GH),
    Shape("LangSmith", r"lsv2_(?:pt|sk)_", r"\w{30,60}", _GH),
    Shape("Jina", r"jina_", r"[\w-]{50,80}", "Jina: API keys", random=True, tail=r"[A-Za-z0-9_\-]{50}"),
    Shape("Kaggle", r"KGAT_", r"[0-9a-f]{32}", "Kaggle: API tokens"),
    # Work and content
    Shape("Linear", r"lin_(?:api|oauth|wh)_", r"[A-Za-z0-9]{30,80}", "gitleaks linear-api-key"),
    Shape(
        "Notion",
        r"(?:secret|ntn)_",
        r"[A-Za-z0-9]{40,60}",
        "gitleaks notion-api-token",
        random=True,
        tail=r"[A-Za-z0-9]{40}",
    ),
    Shape("Figma", r"fig[dour]_", r"[\w-]{30,80}", _GH, random=True, tail=r"[A-Za-z0-9_\-]{30}"),
    Shape(
        "Airtable",
        r"pat",
        r"[A-Za-z0-9]{14}\.[0-9a-f]{64}",
        "gitleaks airtable-personnal-access-token",
        tail=r"[A-Za-z0-9]{14}\.",
    ),
    Shape(
        "Asana",
        r"[012]/",
        r"\d{13,20}(?:/\d{13,20})?:[0-9a-f]{32}(?!\w)",
        "Asana: personal access tokens",
        tail=r"[0-9]{13}",
    ),
    Shape("ClickUp", r"pk_", r"\d{5,12}_[A-Z0-9]{32}(?!\w)", "ClickUp: API tokens", tail=r"[0-9]{5,12}_[A-Z0-9]{32}"),
    Shape("Contentful", r"CFPAT-", r"[\w-]{40,50}", _GH),
    Shape("Postman", r"PMA[KT]-", r"[0-9a-zA-Z]{24,26}(?:-[0-9a-f]{34})?", "gitleaks postman-api-token"),
    Shape("ReadMe", r"rdme_", r"[a-z0-9]{70}", "gitleaks readme-api-token"),
    Shape(
        "Dropbox",
        r"sl\.",
        r"(?:u\.)?[\w=-]{130,1200}",
        "gitleaks dropbox-short-lived-api-token",
        tail=r"[A-Za-z0-9_=.\-]{100}",
    ),
    Shape("Frame.io", r"fio-u-", r"[\w=-]{64}", "gitleaks frameio-api-token"),
    Shape("Adobe", r"p8e-", r"[A-Za-z0-9]{32}", "gitleaks adobe-client-secret"),
    Shape("Mapbox", r"[st]k\.eyJ", r"[\w-]{20,200}\.[\w-]{20,30}", "Mapbox: access tokens"),
    Shape(
        "Facebook",
        r"EAA[A-Z]",
        r"[A-Za-z0-9]{40,250}",
        "gitleaks facebook-page-access-token",
        random=True,
        tail=r"[A-Za-z0-9]{40}",
    ),
    Shape(
        "Square",
        r"EAAA",
        r"[\w-]{58,62}(?![\w-])",
        "gitleaks square-access-token",
        random=True,
        tail=r"[A-Za-z0-9_\-]{58}",
    ),
    Shape("Instagram", r"IGQ[VW]", r"[\w-]{60,250}", _GH),
    Shape("Twitter", r"AAAAAAAAAAAAAAAAAAAAA", r"[A-Za-z0-9%]{60,120}", "gitleaks twitter-bearer-token"),
    Shape("LinkedIn", r"WPL_AP[01]\.", r"[\w.+/=-]{16,80}", _GH),
    Shape("Pinterest", r"pina_", r"[A-Z0-9]{60,120}", _GH),
    Shape("Adafruit IO", r"aio_", r"[A-Za-z0-9]{28}(?!\w)", _GH, random=True, tail=r"[A-Za-z0-9]{28}"),
    Shape("Intra42", r"s-s4t2(?:ud|af)-", r"[0-9a-f]{64}", "gitleaks intra42-client-secret", tail=r"[0-9a-f]{6}"),
    Shape("SettleMint", r"sm_[aps]at_", r"[A-Za-z0-9]{16}(?!\w)", "gitleaks settlemint-application-access-token"),
    Shape(
        "Authress",
        r"(?:sc|ext|scauth|authress)_",
        r"[A-Za-z0-9]{5,30}\.[A-Za-z0-9]{4,6}\.acc[_-][a-z0-9-]{10,32}\.[\w+/=-]{30,120}",
        "gitleaks authress-service-client-access-key",
        tail=r"[A-Za-z0-9]{5,30}\.[A-Za-z0-9]{4,6}\.acc",
    ),
    # Formats that many use
    Shape("JSON Web Token", r"eyJ", r"[\w-]{10,}\.[\w-]{10,}(?:\.[\w-]*){0,3}", "RFC 7519"),
    Shape("Jupyter and alike", r"eyJ2ZXIiOi", r"[\w+/-]{60,2000}={0,2}", 'base64 of {"ver":'),
    Shape(
        "JSON Web Token",
        r"ZXlK",
        r"[A-Za-z0-9+/_-]{60,4000}={0,2}",
        "gitleaks jwt-base64",
        random=True,
        tail=r"[A-Za-z0-9+/_\-]{60}",
    ),
)
"""Every shape that begins with something of its own."""

INFIXES = (
    Infix("Mailchimp", r"[0-9a-f]{32}-us\d{1,2}(?!\w)", r"[0-9a-f]-us[0-9]", "gitleaks mailchimp-api-key"),
    Infix(
        "Mailgun",
        r"[0-9a-f]{32}-[0-9a-f]{8}-[0-9a-f]{8}(?![\w-])",
        r"[0-9a-f]-[0-9a-f]{8}-[0-9a-f]{8}",
        "gitleaks mailgun-signing-key",
    ),
    Infix(
        "Terraform Cloud", r"[A-Za-z0-9]{14}\.atlasv1\.[\w-]{40,90}", r"\.atlasv1\.", "gitleaks hashicorp-tf-api-token"
    ),
    Infix("Azure AD", r"\w{3}\dQ~[\w~.-]{30,40}", r"Q~", "gitleaks azure-ad-client-secret"),
    Infix(
        "Azure",
        r"[A-Za-z0-9+/]{70,80}(?:\+ASt|\+ABa|\+AEh|\+ASb|ACDb)[A-Za-z0-9+/]{5,8}={1,2}",
        r"[A-Za-z0-9+/](?:\+A(?:St|Ba|Eh|Sb)|ACDb)",
        "Microsoft: identifiable secrets",
    ),
    Infix(
        "Azure",
        r"[\w+/-]{30,80}(?:AzFu|AzSe|AzCa|\+ACR|APIM|AZDO)[\w+/-]{4,9}={0,2}(?![\w+/-])",
        r"[A-Za-z0-9_/+\-](?:Az(?:Fu|Se|Ca)|\+ACR|APIM|AZDO)[A-Za-z0-9_/+\-]{4}",
        "Microsoft: identifiable secrets",
    ),
    Infix(
        "Discord",
        r"(?:M[DTjz]|N[DTjz]|O[DT])[A-Za-z\d_-]{22,26}\.[\w-]{6}\.[\w-]{27,40}(?!\w)",
        r"(?:M[DTjz]|N[DTjz]|O[DT])[A-Za-z0-9_\-]{22,26}\.[A-Za-z0-9_\-]{6}\.[A-Za-z0-9_\-]{27}",
        _GH,
    ),
    Infix("MaxMind", r"[A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk(?!\w)", r"_mmk", "gitleaks maxmind-license-key"),
    Infix("Telegram", r"\d{8,10}:AA[\w-]{33}(?![\w-])", r":AA[A-Za-z0-9_\-]{33}", "Telegram: bot API"),
    Infix("Ghost", r"[0-9a-f]{24}:[0-9a-f]{64}(?!\w)", r"[0-9a-f]:[0-9a-f]{64}", "Ghost: admin API"),
    Infix(
        "Bitwarden",
        rf"0\.{UUID}\.[A-Za-z0-9]{{30}}:[A-Za-z0-9+/]{{22}}==",
        r"[A-Za-z0-9]:[A-Za-z0-9+/]{22}==",
        "Bitwarden Secrets Manager: access tokens",
    ),
    Infix(
        "Facebook",
        r"\d{15,16}\|[\w-]{27,40}(?![\w-])",
        r"[0-9]\|[A-Za-z0-9_\-]{27}",
        "gitleaks facebook-access-token",
    ),
    Infix("ngrok", r"[0-9][A-Za-z0-9]{26}_[0-9][A-Za-z0-9]{20}(?!\w)", r"[A-Za-z0-9]_[0-9][A-Za-z0-9]{20}", _GH),
    Infix("Salesforce", r"00D[A-Za-z0-9]{12,15}![\w.]{80,120}", r"00D[A-Za-z0-9]{12}", _GH),
)
"""Shapes that are known by what is inside them."""


def gate_of(shape: Shape | Infix) -> str:
    """What the gate looks for, in Rust's syntax."""
    return shape.gate if isinstance(shape, Infix) else f"(?:{shape.start}){shape.tail}"
