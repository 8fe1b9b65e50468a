"""What signing in takes and gives."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from common.passwords import LONGEST_PASSWORD


class LoginRequest(BaseModel):
    """A user's e-mail address and password."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    email: str = Field(min_length=3, max_length=320, pattern=r"^[^\x00-\x20\x7f]+$", examples=["ada@example.com"])
    password: str = Field(min_length=1, max_length=LONGEST_PASSWORD)


class LoginRead(BaseModel):
    """An access token for the Authorization header; `expires_in` is seconds."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"
    expires_in: int
