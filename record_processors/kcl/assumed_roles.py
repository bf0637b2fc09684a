"""What the daemon does as a role that it assumes, and what that role must be allowed."""

from __future__ import annotations

from collections.abc import Iterator

from ..aws.arns import account_in
from ..config.kcl_settings import CLOUDWATCH_PROVIDER, CREDENTIALS_PROVIDER, DYNAMODB_PROVIDER
from ..config.kcl_types import roles
from ..config.resource import Resource
from ..config.setting import Setting, Settings
from .consumer import Consumer
from .resources import Leases, Metrics, SourceStream, resources

# Each of the daemon's clients: what says whose credentials it has, None where that is what says so
# of all; and what it asks of.
CLIENTS: tuple[tuple[Setting[str | None] | None, tuple[type[Resource], ...]], ...] = (
    (None, (SourceStream, Consumer)),
    (DYNAMODB_PROVIDER, (Leases,)),
    (CLOUDWATCH_PROVIDER, (Metrics,)),
)


def assumed_roles(settings: Settings) -> list[str]:
    """Return the ARNs of all roles that the daemon may assume."""
    chains = (_chain(settings, provider) for provider, _ in CLIENTS)
    return list(dict.fromkeys(role for chain in chains for role in chain if role))


def roles_for(settings: Settings, thing: Resource) -> list[str]:
    """Return the roles as which the daemon uses a thing; none if it may do so as the hosts' own."""
    for provider, kinds in CLIENTS:
        if isinstance(thing, kinds):
            chain = _chain(settings, provider)
            found = [role for role in chain if role]
            return found if len(found) == len(chain) else []
    return []


def notes_of_roles(settings: Settings) -> Iterator[str]:
    """Yield, line by line, what must be done for each role that is assumed: nobody else may."""
    needed: dict[str, list[str]] = {role: [] for role in assumed_roles(settings)}
    for thing in resources(settings):
        for role in roles_for(settings, thing):
            for statement in thing.permissions(account_in(role)):
                actions, places = (" ".join(statement[key]) for key in ("Action", "Resource"))
                needed[role].append(f"  {actions} on {places}")
    for role, lines in needed.items():
        yield f"the daemon assumes {role}, which must trust the role of the hosts" + (
            ", and be allowed, in its account, what they need not be:" if lines else ""
        )
        yield from lines


def _chain(settings: Settings, provider: Setting[str | None] | None) -> list[str | None]:
    own = settings[provider] if provider else None
    return roles(own or settings[CREDENTIALS_PROVIDER])
