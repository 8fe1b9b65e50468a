"""How the secrets of endpoints lie in the database, and what a change of the key does to them."""

import json

import httpx2
from pydantic import SecretStr
from sqlalchemy import text

from api.config import ApiSettings
from api.container import ApiContainer
from common.vault import Vault
from tests.api.realtime.listener import eventually
from tests.fixtures.workers import running_worker
from tests.webhook.receiver import Receiver
from tests.webhook.test_webhooks import make


async def test_secrets_lie_sealed_and_follow_a_change_of_the_key(
    http: httpx2.AsyncClient, backstage: ApiContainer, api_settings: ApiSettings, receiver: Receiver
) -> None:
    first, second, third = [await make(http, receiver.url) for _ in range(3)]
    later = {"encryption_key": "another key, of more than 32 bytes"}
    async with backstage.engine().begin() as db:
        rows = {str(row.id): row.secret for row in await db.execute(text("SELECT id, secret FROM webhook_endpoints"))}
        assert not any("whsec_" in kept for kept in rows.values())
        lost = "UPDATE webhook_endpoints SET secret = 'v1.00000000.x' WHERE id = :id"
        await db.execute(text(lost), {"id": third["id"]})
        # As it was before there was a vault.
        plain = "UPDATE webhook_endpoints SET secret = :secret WHERE id = :id"
        await db.execute(text(plain), {"id": second["id"], "secret": second["secret"]})
    previous = (api_settings.data_dir / "encryption-key").read_text()
    vault = Vault(api_settings.model_copy(update={key: SecretStr(value) for key, value in later.items()}))
    marked = text("SELECT count(*) FROM webhook_endpoints WHERE starts_with(secret, :mark)")

    async def are_renewed() -> bool:
        async with backstage.engine().connect() as db:
            return bool((await db.execute(marked, {"mark": vault.mark})).scalar_one() == 2)

    changes = {**later, "webhook_private_networks": "127.0.0.0/8", "webhook_interval": 0.1}
    async with running_worker(api_settings, **changes, encryption_previous_key=previous):
        await eventually(are_renewed)
    async with running_worker(api_settings, **changes):
        for hook in (first, second):
            await http.post(f"/webhooks/{hook['id']}/ping")
        calls = await receiver.until(2)
    for call in calls:
        [hook] = [each for each in (first, second) if each["id"] == json.loads(call.body)["data"]["webhook_id"]]
        call.verify(hook["secret"])
