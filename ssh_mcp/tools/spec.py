"""What a tool is: one function, its place in the catalogue, and nothing else.

``@tool(group=…, tier=…)`` reads the function's annotations once. A parameter annotated ``RemoteHost`` is a host name
to the client and arrives resolved, with its policy bound; one annotated ``Call`` is ours and invisible; every other
parameter is the client's. Importing a tool module builds no schema: that is ``catalogue``'s work, done ahead of time.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, create_model
from pydantic_core import PydanticCustomError

from ssh_mcp.policy.tiers import Group, Tier
from ssh_mcp.remote.call import Call
from ssh_mcp.remote.host import RemoteHost
from ssh_mcp.results.base import Result

ToolFunction = Callable[..., Awaitable[Result]]
F = TypeVar("F", bound=ToolFunction)

HOST_HELP = "Alias or hostname"


@dataclass(frozen=True, slots=True)
class Annotations:
    """MCP's hints, explicit on every tool."""

    read_only: bool
    destructive: bool
    idempotent: bool
    open_world: bool = True


@dataclass(frozen=True)
class ToolSpec:
    """One registered tool."""

    name: str
    group: Group
    tier: Tier
    function: ToolFunction
    windows_instead: str | None
    annotations: Annotations
    description: str
    parameters: dict[str, inspect.Parameter]
    hosts: tuple[str, ...]
    call_parameter: str | None
    result: type[Result]
    task: bool = False
    confirms: bool = False

    @cached_property
    def arguments(self) -> type[BaseModel]:
        """The model that a client's arguments are validated by: no unknown names, no silent extras."""
        fields: dict[str, Any] = {}
        for name, parameter in self.parameters.items():
            default = ... if parameter.default is inspect.Parameter.empty else parameter.default
            annotation = parameter.annotation
            if name in self.hosts:
                annotation = Annotated[str, Field(min_length=1, max_length=255, description=HOST_HELP)]
            fields[name] = (_no_boolean_as_number(annotation), default)
        return create_model(f"{self.name}_arguments", __config__=ConfigDict(extra="forbid"), **fields)


def _no_boolean_as_number(annotation: Any) -> Any:
    """A parameter that takes an integer but no boolean refuses true and false, which pydantic reads as 1 and 0."""
    kinds = set(_kinds(annotation))
    return Annotated[annotation, BeforeValidator(_not_boolean)] if int in kinds and bool not in kinds else annotation


def _kinds(annotation: Any) -> Iterator[Any]:
    inner = get_args(annotation)
    if not inner:
        yield annotation
    for part in inner[:1] if get_origin(annotation) is Annotated else inner:
        yield from _kinds(part)


def _not_boolean(value: Any) -> Any:
    if isinstance(value, bool):
        raise PydanticCustomError("number", "Input should be a number, not true or false")
    return value


REGISTRY: dict[str, ToolSpec] = {}


def tool(
    *,
    group: Group,
    tier: Tier,
    windows_instead: str | None = None,
    destructive: bool | None = None,
    idempotent: bool | None = None,
    task: bool = False,
    confirms: bool = False,
    tier_of_call: bool = False,
) -> Callable[[F], F]:
    """Put a function on the list under its own name.

    ``windows_instead`` marks a tool that needs a POSIX shell, and is the sentence that says what to use on a Windows
    host instead (may be empty); None: the tool works there too. ``destructive`` says whether a low-access tool deletes
    or overwrites; in the other tiers it is fixed. ``task`` lets a client run it as a background task.
    ``tier_of_call``: the tool calls another, whose tier counts, so that its hints are those of the worst it may do.
    """

    def register(function: F) -> F:
        spec = _read(
            function,
            group,
            tier,
            windows_instead,
            hints_for(Tier.DANGEROUS if tier_of_call else tier, destructive, idempotent),
        )
        spec = replace(spec, task=task, confirms=confirms)
        if spec.name in REGISTRY and REGISTRY[spec.name].function is not function:
            raise ValueError(f"two tools are called {spec.name}")
        REGISTRY[spec.name] = spec
        return function

    return register


def _read(
    function: ToolFunction,
    group: Group,
    tier: Tier,
    windows_instead: str | None,
    hints: Annotations,
) -> ToolSpec:
    types = get_type_hints(function, include_extras=True)
    result = types.pop("return", None)
    name = getattr(function, "__name__", "")
    if not (isinstance(result, type) and issubclass(result, Result)):
        raise TypeError(f"{name} must return a Result, not {result!r}")
    doc = inspect.getdoc(function)
    if not doc:
        raise TypeError(f"{name} has no docstring, which is its description")
    parameters: dict[str, inspect.Parameter] = {}
    hosts: list[str] = []
    call_parameter: str | None = None
    for parameter in inspect.signature(function).parameters.values():
        annotation = types[parameter.name]
        if annotation is Call:
            call_parameter = parameter.name
            continue
        if annotation is RemoteHost:
            hosts.append(parameter.name)
        parameters[parameter.name] = parameter.replace(annotation=annotation)
    return ToolSpec(
        name=name,
        group=group,
        tier=tier,
        function=function,
        windows_instead=windows_instead,
        annotations=hints,
        description=" ".join(doc.split()),
        parameters=parameters,
        hosts=tuple(hosts),
        call_parameter=call_parameter,
        result=result,
    )


def hints_for(tier: Tier, destructive: bool | None, idempotent: bool | None) -> Annotations:
    """The hints of a tier. Raises ValueError where a low-access tool does not say whether it destroys."""
    if tier is Tier.READ:
        return Annotations(read_only=True, destructive=False, idempotent=True)
    if tier is Tier.LOW_ACCESS:
        if destructive is None:
            raise ValueError("a low-access tool says whether it deletes or overwrites")
        return Annotations(read_only=False, destructive=destructive, idempotent=bool(idempotent))
    return Annotations(read_only=False, destructive=True, idempotent=bool(idempotent))
