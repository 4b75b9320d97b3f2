"""Distinguishes permanent refusals of a DVC remote from temporary errors, with advice for each refusal."""

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.tracking.lineage import without_credentials

from dvc.config import Config

# Temporary errors, which S3 may answer with a status below 500.
RETRYABLE = {
    "BandwidthLimitExceeded",
    "ConditionalRequestConflict",
    "OperationAborted",
    "RequestLimitExceeded",
    "RequestTimeout",
    "RequestTimeoutException",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequests",
    "TooManyRequestsException",
}
_RENEW = "renew the credentials (AWS_SESSION_TOKEN goes with the two keys)"
_KEYS = "correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
_REGION = "set the bucket's region (AWS_DEFAULT_REGION, or 'dvc remote modify NAME region REGION')"
ADVICE = {
    "ExpiredToken": _RENEW,
    "ExpiredTokenException": _RENEW,
    "TokenRefreshRequired": _RENEW,
    "InvalidToken": _RENEW,
    "InvalidAccessKeyId": _KEYS,
    "SignatureDoesNotMatch": _KEYS,
    "301": _REGION,
    "AuthorizationHeaderMalformed": _REGION,
    "IllegalLocationConstraintException": _REGION,
    "PermanentRedirect": _REGION,
    "RequestTimeTooSkewed": "set this machine's clock",
    "NoSuchBucket": "there is no such bucket: make it, or correct the remote's url",
}
# The permission that each S3 operation needs. The other operations have the name of their permission.
RIGHTS = {
    "ListObjectsV2": "ListBucket",
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "CompleteMultipartUpload": "PutObject",
}
NEEDED = "s3:ListBucket on the bucket; s3:GetObject, s3:PutObject, s3:AbortMultipartUpload on its objects"
# The exceptions that botocore raises before it sends a request, by class name.
BEFORE_REQUEST = {
    "NoCredentialsError": "no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "PartialCredentialsError": "half of the credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "ProfileNotFound": "no such profile: correct AWS_PROFILE",
    "ConfigParseError": "AWS's configuration file cannot be read: correct it",
    "CredentialRetrievalError": "the credentials cannot be retrieved: sign in again, or set other ones",
    "SSOTokenLoadError": "not signed in: 'aws sso login'",
    "TokenRetrievalError": "not signed in: 'aws sso login'",
    "UnauthorizedSSOTokenError": "the sign-in has expired: 'aws sso login'",
    "InvalidRegionError": "no such region: correct AWS_DEFAULT_REGION, or the remote's region",
    "ParamValidationError": "not the name of a bucket: correct the remote's url",
}


def refusal(error: BaseException, remote: str | None = None) -> str | None:
    """Return in one line why a remote refuses, and what to do; None for a temporary error.

    The line has S3's error code but not its message, which may contain keys. `remote` is the remote's
    `remote_text`; without one, the line names the default remote.
    """
    for cause in _chain(error):
        if advice := BEFORE_REQUEST.get(type(cause).__name__):
            return f"the DVC remote {remote or default_remote()}: {advice}"
        response = getattr(cause, "response", None)
        if not isinstance(response, dict) or "Error" not in response:
            continue
        code = str(response["Error"].get("Code", ""))
        status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if code in RETRYABLE or status >= 500 or status in {0, 408, 409, 429}:
            return None
        operation = str(getattr(cause, "operation_name", ""))
        advice = _advice(code, status, operation)
        if advice is None:
            return None
        return f"the DVC remote {remote or default_remote()} is refused by S3 ({code}): {advice}"
    return None


def default_remote() -> str:
    """Return the name and the URL of the default remote, for a message."""
    config = Config(".dvc", validate=False)
    return remote_text(config, str(config.get("core", {}).get("remote", "?")))


def remote_text(config: Mapping[str, Any], name: str) -> str:
    """Return the name, the URL and the server of a remote in DVC's settings, for a message."""
    remote = config.get("remote", {}).get(name, {})
    server = f" at {without_credentials(remote['endpointurl'])}" if remote.get("endpointurl") else ""
    return f"{name} ({without_credentials(str(remote.get('url', '?')))}{server})"


def _advice(code: str, status: int, operation: str) -> str | None:
    """Return what to do about an S3 error code; None for a missing object."""
    if code in ADVICE:
        return ADVICE[code]
    if status == 404:
        return None
    if status == 403:
        return f"grant s3:{RIGHTS.get(operation, operation)} (needed are {NEEDED})"
    return f"{_RENEW}, or correct the remote's settings"


def _chain(error: BaseException) -> Iterator[Any]:
    """Yield an error and its chain of causes."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__
