"""The keys of the API, from the settings."""

from __future__ import annotations

from ivr.settings import Settings
from ivr.web.keys import Key, Keys, Scope


def api_keys(settings: Settings) -> Keys:
    """One for everything, one for agents, and those that the company named."""
    web = settings.web
    return Keys(
        [
            Key("api_key", web.api_key.get_secret_value()),
            Key("agent_key", web.agent_key.get_secret_value(), frozenset({Scope.CAPTURES})),
            *(
                Key(each.name, each.key.get_secret_value(), frozenset(map(Scope, each.scopes)))
                for each in web.keys
            ),
        ]
    )
