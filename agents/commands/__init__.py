"""The command line: one file for each command, imported only when it is called."""

import importlib

import click

COMMANDS = {
    "demo": "write a day of traffic with every attack in it, replay it, show the result",
    "run": "follow the logs of this server, detect, block: one process, no broker",
    "replay": "old logs through the same code: what would have been found and blocked",
    "parse": "log lines to events, one JSON object a line",
    "check": "validate the configuration and say what would be done with it",
    "alerts": "list and show what was found",
    "incidents": "what belongs together, as one story, and who takes care of it",
    "abuse": "a report to the network that an attack came from, as a draft",
    "report": "what was attacked and stopped, how soon, and whom to look after: a page",
    "explain": "why something was found about somebody, or why not",
    "decisions": "list, add, remove and export blocks",
    "export": "what is blocked, for those who share indicators: STIX 2.1, a MISP feed",
    "phishing": "the site's list of addresses that phishers collect answers at",
    "listed": "our gateways on block lists, and who asked to be taken off",
    "gateways": "what each gateway has applied, and which are behind",
    "purged": "mail of accounts in other hands that was taken out of the queue",
    "panic": "lift everything that is enforced, at once",
    "resume": "enforce again, after panic",
    "console": "the operator's web console, as a process of its own",
    "ship": "follow logs and publish their events to Kafka",
    "intake": "what other shippers publish on Kafka, to events",
    "worker": "detect and respond, on Kafka; as many as wanted",
    "gateway": "enforce the decisions on Kafka at this relay",
    "sinks": "tell the SOC of the alerts on Kafka",
    "topics": "create and list the Kafka topics",
}


class Commands(click.Group):
    """Loads a command's module when it is called, so that `--help` costs nothing."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"agents.commands.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mailwarden")
def cli() -> None:
    """See attacks in the logs of mail servers, explain them, and keep the attackers out.

    \b
    mailwarden demo                       a day of traffic, with every attack in it
    mailwarden run                        watch this server; nothing is blocked unless told
    mailwarden replay /var/log/mail.log   what would have been found in an old log
    """
