"""The machine behind a host: each tool's questions, and how the replies become its result. One session per call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ssh_mcp.facts import alerts, disk, load, network, processes, system, users
from ssh_mcp.facts.capabilities import Capabilities, CapabilitiesFact
from ssh_mcp.remote.facts import ask
from ssh_mcp.remote.host import connection_of
from ssh_mcp.remote.without_shell import instead
from ssh_mcp.results import host as results
from transports.errors import RemoteError, SessionRefused

if TYPE_CHECKING:
    from ssh_mcp.remote.host import RemoteHost


async def info(host: RemoteHost) -> results.HostInfo:
    """Seven questions in one session, the resolver-bound one last; without a shell what the host can do instead."""
    try:
        return await _info(host)
    except SessionRefused as error:
        if not error.no_shell:
            raise
        able = await host.call.fleet.capabilities.without_shell(host, error)
        remark = f"{error.what} {instead(able)}"
        return results.HostInfo(host=host.name, capabilities=_shown(able), output_warnings=[remark])


async def _info(host: RemoteHost) -> results.HostInfo:
    cache, destination = host.call.fleet.capabilities, connection_of(host).destination
    known = cache.known(destination)
    able = CapabilitiesFact(known) if known is not None and known.posix else CapabilitiesFact()
    uname, release, uptime = system.Uname(), system.OsRelease(), system.Uptime()
    model, count, fqdn = system.CpuModel(), system.CpuCount(), system.Fqdn()
    replies = await ask(host, uname, release, uptime, model, count, able, fqdn)
    found = replies.read(able)
    if replies.reply(able).complete:
        cache.remember(destination, found)
    return results.HostInfo(
        host=host.name,
        uname=replies.read(uname),
        os_release=replies.read(release),
        uptime=replies.read(uptime),
        cpu_model=replies.read(model),
        cpu_count=replies.read(count),
        hostname_fqdn=replies.read(fqdn),
        capabilities=_shown(found),
        output_warnings=replies.problems,
    )


def _shown(found: Capabilities) -> results.HostCapabilities:
    return results.HostCapabilities(
        posix=found.posix,
        why=found.why,
        sftp=found.sftp,
        instead="" if found.posix else instead(found),
        kernel=found.kernel,
        init=found.init,
        package_manager=found.package_manager,
        elevation=found.elevation,
        dialects=dict(found.dialects),
        programs=sorted(found.programs),
    )


async def disk_usage(host: RemoteHost) -> results.HostDiskUsage:
    fact = disk.DiskUsage()
    replies = await ask(host, fact)
    entries = [
        results.DiskUsageEntry(
            filesystem=row.source,
            type=row.type,
            size=disk.human(row.size),
            used=disk.human(row.used),
            available=disk.human(row.available),
            use_percent="-" if row.use_percent is None else f"{row.use_percent}%",
            mount=row.mount,
            size_bytes=row.size,
            used_bytes=row.used,
            available_bytes=row.available,
        )
        for row in replies.read(fact)
    ]
    if not entries:
        replies.problems.append("The host's df printed nothing.")
    return results.HostDiskUsage(host=host.name, entries=entries, output_warnings=replies.problems)


async def interfaces(host: RemoteHost) -> results.HostNetwork:
    fact = network.Network()
    replies = await ask(host, fact)
    found = [
        results.NetworkInterfaceEntry(
            name=row.name,
            state=row.state,
            mac=row.mac,
            addresses=[
                results.NetworkInterfaceAddress(family=a.family, address=a.address, prefix_length=a.prefix_length)
                for a in row.addresses
            ],
        )
        for row in replies.read(fact)
    ]
    return results.HostNetwork(host=host.name, interfaces=found, output_warnings=replies.problems)


async def busiest(host: RemoteHost, top: int) -> results.HostProcesses:
    fact = processes.Processes()
    replies = await ask(host, fact)
    rows = replies.read(fact)
    entries = [
        results.ProcessEntry(
            pid=row.pid, user=row.user, pcpu=row.cpu_percent, pmem=row.memory_percent, command=row.command
        )
        for row in rows[:top]
    ]
    return results.HostProcesses(host=host.name, entries=entries, total=len(rows), output_warnings=replies.problems)


async def check_alerts(host: RemoteHost) -> results.HostAlerts:
    """What is measured is reported whether or not the operator set limits."""
    loads, memory, disks = load.LoadAverage(), load.Memory(), disk.DiskUsage()
    replies = await ask(host, loads, memory, disks)
    limits = host.policy.alerts
    now, free, mounted = replies.read(loads), replies.read(memory), replies.read(disks)
    metrics: dict[str, float | list[dict[str, float | str]]] = {}
    if now is not None:
        metrics["load_avg_1min"] = now
    if free is not None:
        metrics["mem_free_percent"] = free.free_percent
    watched = alerts.watched(mounted, limits)
    metrics["disks"] = [
        {"mount": d.mount, "use_percent": float(d.use_percent)} for d in watched if d.use_percent is not None
    ]
    missing = [m for m in limits.disk_mounts if m not in {d.mount for d in mounted}]
    replies.problems += [f"disk_mounts names {m}, which is not mounted." for m in missing]
    return results.HostAlerts(
        host=host.name,
        breaches=[
            results.AlertBreach(
                metric=b.metric, threshold=b.threshold, current=b.current, severity=b.severity, detail=b.detail
            )
            for b in alerts.breaches(limits, mounted, now, free)
        ],
        metrics=metrics,
        output_warnings=replies.problems,
    )


async def account(host: RemoteHost, username: str | None) -> results.UserInfo:
    """``username`` is validated; None is the login user. Raises RemoteError where the host knows no such account."""
    entry, groups = users.PasswdEntry(username), users.Groups(username)
    replies = await ask(host, entry, groups)
    found, member = replies.read(entry), replies.read(groups)
    if found is None:
        if replies.problems:
            raise RemoteError(f"{host.name}'s account database replied in an unknown form.", replies.problems[0])
        who = "the login user" if username is None else f"a user {username!r}"
        raise RemoteError(f"{host.name} knows no account for {who}.", "Check the spelling.")
    return results.UserInfo(
        host=host.name,
        username=found.name,
        uid=found.uid,
        gid=found.gid,
        gecos=found.gecos,
        home=found.home,
        shell=found.shell,
        primary_group=member.primary or str(found.gid),
        groups=list(member.groups),
        output_warnings=replies.problems,
    )
