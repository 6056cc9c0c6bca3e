"""``[gateways.account_actions]``"""

from streams.stepping import From, SteppingSettings


class AccountActionsSettings(SteppingSettings, frozen=True):
    """Each step names the mildest action of a decision from which it is taken."""

    kick: From = ""  # sessions of IMAP and POP3 end, once; "" never
    purge: From = ""  # mail of the account that lies in Postfix's queue is taken out, and kept
    notify: From = ""  # the help desk, and the user, are told by mail
    command: From = ""  # the commands below are run
    login_domain: str = ""  # logins of this domain are known without it as well
    doveadm: str = "doveadm"  # the program, and the configuration that it reads; "": Dovecot's own
    dovecot_config: str = ""
    postfix_config: str = ""  # configuration directory of the instance whose queue it is
    looked_at: int = 10_000  # mails in the queue that are looked at, the newest first
    folder: str = "/var/lib/mailwarden/accounts"  # what was done, and the mail that was purged
    keep_bytes: int = 1 << 28  # of such mail; what does not fit is put on hold instead
    help_desk: tuple[str, ...] = ()  # addresses that are told
    tell_user: bool = False  # the account itself; whoever has stolen it reads that too
    sender: str = ""  # of these mails; "" is mailwarden at this host's name
    relay: str = "127.0.0.1:25"  # host:port that takes them
    begin: tuple[str, ...] = ()  # a command that hears of a decision on its standard input, as JSON
    end: tuple[str, ...] = ()  # one that undoes what that did
    timeout: float = 30.0  # seconds for each program and for the relay
