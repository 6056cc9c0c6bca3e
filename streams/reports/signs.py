"""Whether a mail looks like a report of failed delivery at all.

A mail with a delivery status says so itself. Any other is known by its subject and by who sent
it: a daemon, or nobody (the null sender, RFC 5321, 4.5.5), which automatic replies (RFC 3834),
receipts (RFC 8098) and notices to postmasters have too.
"""

import re

from streams.reports import delivery_status, mime, replies

_DAEMON = re.compile(
    r"(?:mailer[-_.]?daemon|post[-_.]?master|mail[-_.]?daemon|mdaemon|"
    r"mail[-_.]?(?:system|deliver\w*|admin\w*)|microsoftexchange[0-9a-f]{8,40})(?:@|\s|$|>)|"
    r"mailer-?daemon|mail (?:delivery|deliver|administrator|system)|postmaster|"
    r"system administrator|microsoft outlook|delivery (?:sub)?system",
    re.IGNORECASE,
)
_SUBJECT = re.compile(
    r"undeliver|non-?deliver|not deliver|returned mail|return(?:ed)? (?:to sender|message)|"
    r"deliver(?:y|ed|ing)[^a-z]{0,3}(?:status|failure|fail|failed|report|has failed|problem|"
    r"error|notification|delayed|incomplete|attempt)|failure (?:notice|delivery)|fail(?:ed|ure)"
    r"[ :]{1,2}(?:delivery|mail)|mail (?:system error|failure|error|delay|could not|not sent|"
    r"delivery)|message (?:delivery|could not|not|rejected|undeliv|delayed|blocked)|"
    r"could not be (?:sent|delivered)|cannot be delivered|unzustellbar|bounced?\b|"
    r"unable to deliver|error sending|delivery failure|failure notice|rejected:|"
    r"warning: could not send|mail status|\bndn\b|\bndr\b|disk quota|invalid address|"
    r"notice: mail|mail failed|processing error|has not yet been|user unknown|"
    r"automatically rejected|was not delivered|no(?:t|n) remis|no entregado|não entreg|"
    r"配信|不達|エラー",
    re.IGNORECASE,
)
_AUTOMATIC = re.compile(
    r"auto(?:matic(?:ally)?|mated)?[ :-]*(?:reply|response|respond|antwort|generated|:)|auto:|"
    r"out of (?:the )?(?:office|town)|away from|vacation|abwesen|absen(?:ce|t)|on holiday|"
    r"réponse automatique|respuesta automática|on leave|不在",
    re.IGNORECASE,
)
_NOTICE = re.compile(r"postfix smtp server: errors from|logwatch|cron <", re.IGNORECASE)
_FAILED = re.compile(
    r"could not be delivered|undeliverable|unable to deliver|delivery (?:has )?failed|"
    r"was(?: not|n't) delivered|couldn't be delivered|n[o']t able to deliver|cannot be delivered|"
    r"not (?:yet )?(?:been )?delivered|has been returned|has been rejected|no valid recipients|"
    r"unknown host|no such user|user unknown|automatically rejected",
    re.IGNORECASE,
)
_ENTRY = re.compile(r"^<[^<>\s@]{1,64}@[^<>\s@]{1,255}>:", re.MULTILINE)  # as qmail lists them
_REJECTED = re.compile(r"automatically rejected|(?:has been|was) rejected", re.IGNORECASE)
_DELAYED = re.compile(
    r"warning message only|will (?:keep|continue) (?:to )?try|will be retried|not yet been "
    r"deliver|has been delayed|delivery[^.;\n]{0,20} delayed|do not need to resend|"
    r"delivery attempts will continue|still trying|\(delay\)",
    re.IGNORECASE,
)
_RECEIPT = "message/disposition-notification"


def is_report(mail: mime.Mail, said: str) -> bool:
    """Whether a mail reports failed delivery; `said` is its text without the returned mail."""
    if any(part.kind in delivery_status.KINDS for part in mail.parts):
        return True
    if any(part.kind == _RECEIPT for part in mail.parts):
        return bool(_REJECTED.search(said[:2000]))  # Sieve's reject (RFC 5429) takes this form
    if "x-failed-recipients" in mail.headers:
        return True
    title = subject(mail)
    known = bool(_SUBJECT.search(title))
    if _NOTICE.match(title) or (_AUTOMATIC.match(title) and not known):
        return False
    path = mime.first(mail.headers, "return-path").strip().lower()
    sender = mime.words(mime.first(mail.headers, "from"))
    daemon = bool(_DAEMON.search(sender)) or sender.strip() == "<>"
    nobody = path == "<>" or "mailer-daemon" in path
    if known:
        return daemon or nobody or not path
    told = replies.read(said)
    if daemon:
        failed = _FAILED.search(said[:8000]) or _ENTRY.search(said[:8000])
        return bool(told.code or told.status or failed)
    return nobody and bool(told.status or _FAILED.search(said[:8000]))


def is_delayed(mail: mime.Mail, said: str) -> bool:
    """Whether what it reports is only late."""
    return bool(_DELAYED.search(said[:8000]) or _DELAYED.search(subject(mail)))


def subject(mail: mime.Mail) -> str:
    return mime.words(mime.first(mail.headers, "subject"))
