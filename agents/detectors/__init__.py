"""The detectors, one line each. Those that look at `View.open` come after those they look for."""

from agents.detector import Detector
from agents.detectors.account_burst import AccountBurst
from agents.detectors.account_cluster import AccountCluster
from agents.detectors.auth_breach import AuthBreach
from agents.detectors.auth_campaign import AuthCampaign
from agents.detectors.auth_dictionary import AuthDictionary
from agents.detectors.auth_distributed import AuthDistributed
from agents.detectors.auto_reply_storm import AutoReplyStorm
from agents.detectors.backscatter_made import BackscatterMade
from agents.detectors.backscatter_received import BackscatterReceived
from agents.detectors.directory_fault import DirectoryFault
from agents.detectors.directory_harvest import DirectoryHarvest
from agents.detectors.filter_bypass import FilterBypass
from agents.detectors.internal_mailer import InternalMailer
from agents.detectors.open_relay import OpenRelay
from agents.detectors.phish_answered import PhishAnswered
from agents.detectors.protocol_abuse import ProtocolAbuse
from agents.detectors.queue_growth import QueueGrowth
from agents.detectors.refused_reputation import RefusedReputation
from agents.detectors.relay_probe import RelayProbe
from agents.detectors.sender_reputation import SenderReputation
from agents.detectors.stale_client import StaleClient

DETECTORS: dict[str, type[Detector]] = {
    AuthDistributed.name: AuthDistributed,
    AuthCampaign.name: AuthCampaign,
    AuthDictionary.name: AuthDictionary,
    AuthBreach.name: AuthBreach,
    StaleClient.name: StaleClient,
    DirectoryHarvest.name: DirectoryHarvest,
    BackscatterReceived.name: BackscatterReceived,
    BackscatterMade.name: BackscatterMade,
    AccountBurst.name: AccountBurst,
    AccountCluster.name: AccountCluster,
    AutoReplyStorm.name: AutoReplyStorm,
    DirectoryFault.name: DirectoryFault,
    FilterBypass.name: FilterBypass,
    InternalMailer.name: InternalMailer,
    OpenRelay.name: OpenRelay,
    PhishAnswered.name: PhishAnswered,
    ProtocolAbuse.name: ProtocolAbuse,
    QueueGrowth.name: QueueGrowth,
    RefusedReputation.name: RefusedReputation,
    RelayProbe.name: RelayProbe,
    SenderReputation.name: SenderReputation,
}
