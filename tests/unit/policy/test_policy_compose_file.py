"""Compose files: an allowlist of keys, no variables where the host is decided about, every path handed on."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssh_mcp.errors import InvalidArgument
from ssh_mcp.policy.compose_file import ComposePlan, decide_compose

HONEST = """
name: shop
x-common: &common
  restart: unless-stopped
  logging: {driver: json-file, options: {max-size: 10m}}
services:
  web:
    <<: *common
    image: "${REGISTRY:-docker.io}/shop/web:${TAG}"
    build: {context: ./web, dockerfile: Dockerfile.prod, args: {A: b}}
    command: ["serve", "--port", "80"]
    environment: {DB: "postgres://db/${DB}", PRICE: "$$5"}
    env_file: [.env.web, {path: ./extra.env, required: false}]
    ports: ["8080:80"]
    volumes: ["./data:/data:ro", "cache:/cache", "/srv/shared:/shared",
              {type: bind, source: ./conf, target: /c, read_only: true}, {type: tmpfs, target: /t},
              {type: volume, source: cache, target: /v, volume: {nocopy: true}}]
    networks: {back: {aliases: [w]}}
    depends_on: {db: {condition: service_healthy}}
    healthcheck: {test: [CMD, "true"]}
    security_opt: ["no-new-privileges:true"]
    cap_drop: [ALL]
    deploy: {replicas: 2, resources: {limits: {cpus: "1"}, reservations: {memory: 10M}}}
    secrets: [token]
    configs: [{source: conf, target: /x}]
    privileged: false
    devices: []
  db:
    image: postgres
    network_mode: "service:web"
volumes: {cache: {labels: {a: b}}, old: {external: true}}
networks: {back: {driver: bridge, internal: true}}
secrets: {token: {file: ./token.txt}}
configs: {conf: {content: "x"}}
"""


def service(text: str) -> str:
    return "services:\n  a:\n    image: x\n" + "".join(f"    {line}\n" for line in text.splitlines())


def test_an_honest_file_passes_and_its_paths_are_handed_on() -> None:
    plan = decide_compose(HONEST, creates=True, privileged=False)
    assert plan.mounts == ("./web", "./data", "/srv/shared", "./conf")
    assert set(plan.reads) == {"./web/Dockerfile.prod", ".env.web", "./extra.env", "./token.txt"}


REACHING = [
    "privileged: true", "privileged: yes", 'privileged: "true"', "privileged: ${X}", "cap_add: [SYS_ADMIN]",
    "devices: [/dev/sda]", "pid: host", "ipc: host", "uts: host", "userns_mode: host", "cgroup: host",
    "cgroup_parent: /", "network_mode: host", 'network_mode: "container:x"', "security_opt: [seccomp:unconfined]",
    "sysctls: {kernel.x: 1}", "volumes_from: [b]", "gpus: all", "runtime: x", "use_api_socket: true",
    "provider: {type: sh}", "post_start: [{command: id, privileged: true}]", "credential_spec: {file: x}",
    "group_add: [docker]", "device_cgroup_rules: ['a *:* rwm']", "volumes: ['/var/run/docker.sock:/s']",
    "volumes: [{type: bind, source: /run/docker.sock, target: /s}]",
    "volumes: ['./a:/x:rshared']", "volumes: [{type: bind, source: ./a, target: /x, bind: {propagation: shared}}]",
    "networks: [host]", "networks: {host: {}}", "build: {context: ., privileged: true}",
    "build: {context: ., network: host}", "build: {context: ., additional_contexts: {a: /}}",
    "build: {context: ., entitlements: [security.insecure]}", "build: {context: ., ssh: [default]}",
    "deploy: {resources: {reservations: {devices: [{capabilities: [gpu]}]}}}", "oom_score_adj: -1000",
]  # fmt: skip
REFUSED = [
    "volumes: ['${HOME}:/x']", "volumes: ['$HOME/a:/x']", "volumes: ['~/a:/x']", "volumes: ['a/b:/x']", "volumes: /:/x",
    "volumes: [{type: bind, source: '${X}', target: /x}]", "volumes: [{type: npipe, source: a, target: /x}]",
    "volumes: [{type: '${T}', source: /, target: /x}]", "volumes: [{type: volume, source: /etc, target: /x}]",
    "volumes: [[a]]", "network_mode: '${NET}'", "extends: {file: /etc/shadow, service: x}", "env_file: '${X}'",
    "env_file: ~/.env", "unknown_key: 1", "build: {context: 'https://x/y.git'}", "build: git@github.com:x/y",
    "build: '${CTX}'", "logging: {driver: syslog, options: {syslog-address: 'tcp://x'}}", "label_file: '${X}'",
    "logging: {driver: json-file, options: {env: A}}", "deploy: {foo: 1}", "secrets: [{source: a, file: /etc/shadow}]",
    "image: !reset x", "image: !!python/object:os.system x",
]  # fmt: skip


@pytest.mark.parametrize("text", REACHING)
def test_what_reaches_the_host_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        decide_compose(service(text), creates=True, privileged=False)
    assert "reaches the host" in str(refusal.value) or "${X}" in text
    if "${X}" not in text:
        decide_compose(service(text), creates=True, privileged=True)


@pytest.mark.parametrize("text", REFUSED)
def test_what_cannot_be_decided_is_refused_even_for_the_privileged(text: str) -> None:
    for privileged in (False, True):
        with pytest.raises(InvalidArgument):
            decide_compose(service(text), creates=True, privileged=privileged)


@pytest.mark.parametrize(
    "text",
    [
        "include: [other.yml]\nservices: {}",
        "services: {a: {image: x}}\nvolumes: {v: {driver_opts: {type: none, o: bind, device: /}}}",
        "services: {a: {image: x}}\nvolumes: {v: {driver: nfs}}",
        "services: {a: {image: x, networks: [n]}}\nnetworks: {n: {external: true, name: host}}",
        "services: {a: {image: x}}\nnetworks: {n: {external: {name: host}}}",
        "services: {a: {image: x}}\nnetworks: {n: {driver: host}}",
        "services: {a: {image: x}}\nnetworks: {n: {driver: macvlan}}",
        "services: {a: {image: x}}\nnetworks: {n: {name: '${N}'}}",
        "services: {a: {image: x}}\nsecrets: {s: {file: '${S}'}}",
        "services: {a: {image: x}}\nsecrets: {s: {file: ~/.ssh/id_ed25519}}",
        "services: {a: {image: x, image: y}}",
        "services: {a: {privileged: true, privileged: false, image: x}}",
        "services: [a]",
        "services: {a: b}",
        "- a",
        "",
        "services: {a: {image: x}}\n---\nservices: {b: {privileged: true}}",
        "services: {a: *b}",
        "surprise: 1",
    ],
)
def test_the_file_around_the_services_is_decided_about_too(text: str) -> None:
    with pytest.raises(InvalidArgument):
        decide_compose(text, creates=True, privileged=False)


def test_a_merged_anchor_is_decided_about_where_it_lands() -> None:
    text = "x-a: &a {privileged: true}\nservices: {s: {<<: *a, image: x}}"
    with pytest.raises(InvalidArgument, match=r"services\.s\.privileged"):
        decide_compose(text, creates=True, privileged=False)


def test_what_only_reads_the_file_decides_about_what_compose_would_read() -> None:
    text = service("privileged: true\nenv_file: secret.env\nvolumes: ['/:/host']")
    assert decide_compose(text, creates=False, privileged=False) == ComposePlan(reads=("./secret.env",))
    with pytest.raises(InvalidArgument):
        decide_compose(service("extends: {file: /etc/shadow}"), creates=False, privileged=False)
    with pytest.raises(InvalidArgument):
        decide_compose("include: [/etc/shadow]", creates=False, privileged=False)


def test_a_few_lines_that_stand_for_millions_are_refused_at_once() -> None:
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x]"]
    lines += [f"x-{i}: &a{i} [" + ",".join([f"*a{i - 1}"] * 9) + "]" for i in range(1, 12)]
    started = time.process_time()
    with pytest.raises(InvalidArgument, match="too large"):
        decide_compose("\n".join(["x-" + lines[0], *lines[1:], "services: {}"]), creates=True, privileged=False)
    assert time.process_time() - started < 5
    with pytest.raises(InvalidArgument, match="bytes"):
        decide_compose("#" * 2_000_000, creates=True, privileged=False)
    with pytest.raises(InvalidArgument):
        decide_compose("services: " + "[" * 5000, creates=True, privileged=False)


@given(st.text(max_size=200))
def test_no_text_makes_the_decision_fail_otherwise(text: str) -> None:
    for candidate in (text, service(text.replace("\n", " "))):
        with contextlib.suppress(InvalidArgument):
            decide_compose(candidate, creates=True, privileged=False)
