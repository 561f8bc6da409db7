"""Lets commanders in, and nobody else."""

from starlette.requests import Request

from models.reason import Reason
from models.visibility import Role, Viewer
from resolvers.errors import COMMANDERS_ONLY, ErrorCode, RequestError
from web.admission import Admission, host_of
from web.headers import read_headers


async def commander(admission: Admission, request: Request) -> Viewer:
    """The commander who sends a request. Raises RequestError for anybody else."""
    viewer, _ = await admission.admit(read_headers(request.scope), host_of(request.scope))
    if viewer is None:
        raise RequestError(
            ErrorCode.UNAUTHENTICATED, Reason("SIGN_IN_OR_TOKEN", "Sign in first, or send a bearer token.")
        )
    if viewer.role is not Role.COMMANDER:
        raise RequestError(ErrorCode.FORBIDDEN, COMMANDERS_ONLY)
    return viewer
