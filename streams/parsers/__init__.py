"""Log formats: one file (or folder) each, one line each in PARSERS."""

from streams.parsers.amavis import FORMAT as AMAVIS
from streams.parsers.assp import FORMAT as ASSP
from streams.parsers.authentication import FORMAT as AUTHENTICATION
from streams.parsers.axigen import FORMAT as AXIGEN
from streams.parsers.barracuda import FORMAT as BARRACUDA
from streams.parsers.cisco_esa import FORMAT as CISCO_ESA
from streams.parsers.clamav import FORMAT as CLAMAV
from streams.parsers.courier import FORMAT as COURIER
from streams.parsers.cyrus import FORMAT as CYRUS
from streams.parsers.domino import FORMAT as DOMINO
from streams.parsers.dovecot import FORMAT as DOVECOT
from streams.parsers.exchange.agent import FORMAT as EXCHANGE_AGENT
from streams.parsers.exchange.event import FORMAT as EXCHANGE_EVENT
from streams.parsers.exchange.mailbox import FORMAT as EXCHANGE_MAILBOX
from streams.parsers.exchange.protocol import FORMAT as EXCHANGE_PROTOCOL
from streams.parsers.exchange.queue import FORMAT as EXCHANGE_QUEUE
from streams.parsers.exchange.tracking import FORMAT as EXCHANGE_TRACKING
from streams.parsers.exchange.w3c import FORMAT as EXCHANGE_W3C
from streams.parsers.exim import FORMAT as EXIM
from streams.parsers.firewall import FORMAT as FIREWALL
from streams.parsers.flows import FORMAT as FLOWS
from streams.parsers.fortimail import FORMAT as FORTIMAIL
from streams.parsers.google import FORMAT as GOOGLE
from streams.parsers.greylist import FORMAT as GREYLIST
from streams.parsers.haraka import FORMAT as HARAKA
from streams.parsers.hmailserver import FORMAT as HMAILSERVER
from streams.parsers.horde import FORMAT as HORDE
from streams.parsers.kerio import FORMAT as KERIO
from streams.parsers.m365 import FORMAT as M365
from streams.parsers.mailscanner import FORMAT as MAILSCANNER
from streams.parsers.mimecast import FORMAT as MIMECAST
from streams.parsers.nextcloud import FORMAT as NEXTCLOUD
from streams.parsers.opensmtpd import FORMAT as OPENSMTPD
from streams.parsers.pam import FORMAT as PAM
from streams.parsers.panels import FORMAT as PANELS
from streams.parsers.part import Format
from streams.parsers.perdition import FORMAT as PERDITION
from streams.parsers.pop3d import FORMAT as POP3D
from streams.parsers.postfix import FORMAT as POSTFIX
from streams.parsers.proofpoint import FORMAT as PROOFPOINT
from streams.parsers.qmail import FORMAT as QMAIL
from streams.parsers.roundcube import FORMAT as ROUNDCUBE
from streams.parsers.rspamd import FORMAT as RSPAMD
from streams.parsers.sendmail import FORMAT as SENDMAIL
from streams.parsers.sogo import FORMAT as SOGO
from streams.parsers.spamd import FORMAT as SPAMD
from streams.parsers.stalwart import FORMAT as STALWART
from streams.parsers.symantec import FORMAT as SYMANTEC
from streams.parsers.uw_imap import FORMAT as UW_IMAP
from streams.parsers.vpopmail import FORMAT as VPOPMAIL
from streams.parsers.webmail import FORMAT as WEBMAIL
from streams.parsers.zimbra import FORMAT as ZIMBRA

PARSERS: dict[str, Format] = {
    "postfix": POSTFIX,
    "dovecot": DOVECOT,
    "exim": EXIM,
    "hmailserver": HMAILSERVER,
    "exchange-imap-pop": EXCHANGE_MAILBOX,
    "exchange-protocol": EXCHANGE_PROTOCOL,
    "exchange-tracking": EXCHANGE_TRACKING,
    "exchange-event": EXCHANGE_EVENT,
    "exchange-agent": EXCHANGE_AGENT,
    "exchange-w3c": EXCHANGE_W3C,
    "exchange-queue": EXCHANGE_QUEUE,
    "vpopmail": VPOPMAIL,
    "sendmail": SENDMAIL,
    "rspamd": RSPAMD,
    "m365": M365,
    "uw-imap": UW_IMAP,
    "opensmtpd": OPENSMTPD,
    "cyrus": CYRUS,
    "authentication": AUTHENTICATION,
    "greylist": GREYLIST,
    "clamav": CLAMAV,
    "haraka": HARAKA,
    "courier": COURIER,
    "amavis": AMAVIS,
    "spamd": SPAMD,
    "mailscanner": MAILSCANNER,
    "cisco-esa": CISCO_ESA,
    "roundcube": ROUNDCUBE,
    "sogo": SOGO,
    "nextcloud": NEXTCLOUD,
    "qmail": QMAIL,
    "horde": HORDE,
    "webmail": WEBMAIL,
    "panels": PANELS,
    "proofpoint": PROOFPOINT,
    "firewall": FIREWALL,
    "flows": FLOWS,
    "google": GOOGLE,
    "fortimail": FORTIMAIL,
    "pam": PAM,
    "mimecast": MIMECAST,
    "perdition": PERDITION,
    "barracuda": BARRACUDA,
    "symantec": SYMANTEC,
    "kerio": KERIO,
    "zimbra": ZIMBRA,
    "stalwart": STALWART,
    "domino": DOMINO,
    "axigen": AXIGEN,
    "pop3d": POP3D,
    "assp": ASSP,
}
