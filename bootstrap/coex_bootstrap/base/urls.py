"""Remove credentials from URLs: users, passwords, tokens and queries."""

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Match, Text

# The channel of packages that came from a directory of the builder: a host has no use for its name.
LOCAL_CHANNEL = "file:///local-channel"
# user:password@, host, and the rest up to the next URL in the same word
URL = re.compile(r"(://)([^/\s]*@)?([^/\s?#@]*)((?:(?!://)\S)*)")
NO_SECRET = re.compile(r"(?:git|\$\{[\w-]+\}(?::\$\{[\w-]+\})?)@\Z")  # users that PEP 610 keeps
# The tokens of anaconda.org; in /source/t/NAME/NAME-1.tar.gz, `t` is a directory of an index.
TOKEN = re.compile(r"/t/(?!([^/\s]+)/\1-)[^/\s?#'\">]+")
QUERY = re.compile(r"\?(?:[^\s#'\">]*[^\s#'\">.,;:)])?")  # signatures and tokens, under many names


def without_credentials(text, token=""):
    # type: (Text, Text) -> Text
    """Return text whose URLs have no user and password, no query, and `token` for a token; URLs of files do not change."""
    return URL.sub(lambda url: _public(url, token), text)


def _public(url, token):
    # type: (Match[Text], Text) -> Text
    start, user, host, path = url.groups()
    if not host:
        return url.group() if not user else start + path
    path = TOKEN.sub(token, path)
    return start + (user if user and NO_SECRET.match(user) else "") + host + QUERY.sub("", path)
