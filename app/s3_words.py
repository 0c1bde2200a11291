"""What S3 refuses with, in words that say what to do: one table for our own storage and for what is published elsewhere.

`said` is what `obstore` says of it, which holds S3's own answer. An answer to HEAD has no body, so a status must do there.
"""

import re

WORDS = {
    "InvalidAccessKeyId": "S3 does not know this access key. It is mistyped, or was taken back.",
    "SignatureDoesNotMatch": "The secret does not belong to this access key. Copy both once more.",
    "ExpiredToken": "These keys have run out. Make new ones, and try again.",
    "TokenRefreshRequired": "These keys have run out. Make new ones, and try again.",
    "InvalidToken": "S3 does not accept the session token that came with these keys.",
    "RequestTimeTooSkewed": "This machine's clock is more than 15 minutes from S3's, which takes no request then. Let it keep time by NTP.",
    "AccessDenied": "S3 lets these keys not do this in {bucket}: they need {rights} there.",
    "AllAccessDisabled": "S3 has closed the bucket {bucket} to everybody. Ask whoever owns it.",
    "NoSuchBucket": "There is no bucket {bucket}. Make it first, or look at its spelling.",
    "InvalidBucketName": "A bucket cannot be called {bucket}. Look at its spelling.",
    "PermanentRedirect": "The bucket {bucket} is in another region. Name that one.",
    "AuthorizationHeaderMalformed": "The bucket {bucket} is in another region. Name that one.",
    "QuotaExceeded": "There is no room left for {bucket}. Make some, or have its quota raised.",
    "XMinioStorageFull": "The disks of this S3 are full. Make room there.",
    "EntityTooLarge": "This S3 takes no file of that size.",
}
_NO_KEYS = "There are no keys for S3. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and AWS_SESSION_TOKEN if one came with them."
_SILENT = "Nothing answers at {address}. See that S3 runs there, and that address, port and http or https are right."
_STRANGE = "What answers at {address} is no S3. See that the address is that of S3 itself and not of a page about it."
_UNSAID = "S3 takes no request like this and does not say why: often the keys have run out, or the bucket is in another region."
HANDS_OUT_ANYTHING = "hands out a file that nobody stored"
# Where a request went, without what a signed link would betray.
_ADDRESS = re.compile(r"(https?://[^/\s?]+)")
_CODE = re.compile(r"<Code>(\w+)</Code>")


def words_of_s3(said: str, *, bucket: str, rights: str) -> str | None:
    """None for what nobody can mend from here: S3 is busy, or says something that we do not know."""
    first = said.partition("\n\nDebug source")[0]
    address = found[1] if (found := _ADDRESS.search(first)) else "this address"
    if (code := _CODE.search(first)) is not None:
        words = WORDS.get(code[1])
    else:
        words = next((words for sign, words in _SIGNS if re.search(sign, first, re.IGNORECASE)), None)
    return words.format(bucket=bucket, rights=rights, address=address) if words is not None else None


_SIGNS = (
    (r"169\.254\.169\.254|/latest/api/token", _NO_KEYS),
    ("redirect without LOCATION|status code: 301", WORDS["PermanentRedirect"]),
    ("error sending request", _SILENT),
    (rf"<html|status code: 40[45]|Header missing from response|invalid \w+ response|{HANDS_OUT_ANYTHING}", _STRANGE),
    ("status code: 40[13]", WORDS["AccessDenied"]),
    ("status code: 400", _UNSAID),
)
