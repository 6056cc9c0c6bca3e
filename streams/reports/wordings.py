# ruff: noqa: E501 - one wording a line, however long it is
"""The wordings of failures, as what mail servers and providers have in common.

One alternative a line, for text in lower case and in one line. The first class that has one of
its wordings decides, so the same class can stand here twice: first what is beyond doubt.
BOX stands for the words for a mailbox, NOT for the negations of a verb.
"""

from typing import Final

BOX: Final = (
    r"(?:user(?:'s|s)?|mail ?box|mail ?drop|recipients?(?:'s)?|account|address(?:ee)?|inbox|"
    r"(?:e-?)?mail (?:account|address)|customer|subscriber|alias|person|name|local ?part|member)"
)
NOT: Final = r"(?:does(?: not|n't)|do(?: not|n't)|did(?: not|n't))"

WORDINGS: Final = (
    # -- beyond doubt -------------------------------------------------------------------------
    (
        "mailbox_full",
        r"""
        mail ?box (?:\w+ )?exceeds
        mail ?box (?:size|quota) limit
        mail ?box is full
        exceeded storage allocation
        (?:have|has) enough space
        out of (?:storage )?space
        zu ?viele mails
        postfach (?:ist )?(?:voll|überfüllt)
        bo[iî]te (?:aux lettres )?(?:est )?pleine
        buz[oó]n (?:est[aá] )?lleno
        casella (?:di posta )?(?:è )?piena
        caixa (?:postal )?(?:est[aá] )?cheia
        ящик переполнен
        已满
        """,
    ),
    (
        "suspended",
        r"""
        mailbox (?:is )?disabled
        """,
    ),
    (
        "user_unknown",
        r"""
        recipient address rejected: (?:access denied|user unknown|undeliverable|unverified)
        user unknown
        no such user
        unknown user
        user not found
        invalid mailbox
        ^5\d\d[ -].{0,200}unrouteable address
        not listed in public
        requested action not taken: mailbox unavailable
        empf[äa]nger (?:ist )?unbekannt
        benutzer (?:ist )?unbekannt
        (?:adresse|postfach)[^.;:]{0,40} existiert nicht
        (?:utilisateur|destinataire|adresse) (?:est )?inconnue?
        (?:adresse|bo[iî]te|compte)[^.;:]{0,40} n'existe pas
        (?:usuario|destinatario|cuenta|direcci[oó]n)[^.;:]{0,40} (?:no existe|desconocid)
        utente sconosciuto
        não existe
        не существует
        不存在
        """,
    ),
    (
        "host_unknown",
        r"""
        dns domain
        (?:domain|host) \S{1,255} (?:is )?(?:unknown|not found)
        dns type
        nxdomain
        email system is unknown
        """,
    ),
    (
        "rate",
        r"""
        sending quota
        too much mail
        too many errors
        server busy
        unusual sending
        greylist
        """,
    ),
    (
        "content",
        r"""
        blacklisted (?:url|link)
        url in message
        \bsurbl
        \buribl
        duplicate header
        mcspam
        dt:spm
        content (?:is )?(?:blocked|rejected)
        classified as
        virus (?:found|detected)
        infected
        """,
    ),
    (
        "reputation",
        r"""
        (?:poor|bad|low) reputation
        a problem occurred\. \(ask your postmaster
        reputation service
        ip reputation
        ip (?:is |was |has been )?(?:blocked|listed|banned)
        (?:server|host) at ip
        ip not in whitelist
        \((?:dyn|rtr|con|hvu|rly):[a-z]\d\)
        """,
    ),
    (
        "policy",
        r"""
        cannot find your (?:reverse )?hostname
        rejected by policy
        """,
    ),
    (
        "network",
        r"""
        connect to \S{1,200}:
        loops back to
        did not accept our requests to connect
        socket error
        could not find a gateway
        all hosts have been failing
        """,
    ),
    (
        "system",
        r"""
        (?:unknown )?mailer error
        (?:child|process|program|command) (?:has )?(?:exited|died|returned)
        pipe to \|
        died with status
        not accepting (?:network )?messages
        return code
        exit status
        """,
    ),
    (
        "protocol",
        r"""
        syntax error
        malformed address
        """,
    ),
    (
        "too_big",
        r"""
        (?:message|mail|body|data)\b[^.;:]{0,30} size (?:limit|exceed|is too)
        size limit
        message (?:is )?too (?:big|large|long)
        message (?:file|length)[^.;:]{0,20} (?:too|exceed)
        exceed\w*[^.;:]{0,40} (?:message|mail|maximum|max|fixed|allowed|incoming) size
        line limit exceeded
        """,
    ),
    # -- what they have in common -------------------------------------------------------------
    (
        "mailbox_full",
        r"""
        over ?-?quota
        quota (?:\w+ )?(?:exceed|full|violation|limit|reached)
        exceed\w*[^.;:]{0,50} quota
        out of (?:disk )?quota
        quotaexceeded
        exceededquota
        mail ?(?:box|folder|drop|dir|directory)[^.;:]{0,40} (?:is |was )?(?:\w+ )?(?:full|exceed)
        full mailbox
        mailfull
        box full
        (?:inbox|account) is full
        not enough (?:storage |disk )?space
        no space left in mailbox
        over (?:the )?(?:disk |storage |maximum |allowed )?(?:quota|storage|space)
        (?:user|account|recipient|mailbox)[^.;:]{0,40}(?:is over|exceed\w*|reached|has too many|too many mess)
        \boverquota
        insufficient (?:mailbox|disk) (?:space|quota)
        storage (?:space )?(?:quota|limit)
        disk quota
        maildir (?:delivery failed|over)
        too much mail data
        can't accept messages now
        is out of space
        容量
        """,
    ),
    (
        "expired",
        r"""
        giving up
        retry (?:time ?out|time not reached for any host after a long failure|limit)
        (?:delivery|queue|message|retry)[^.;:]{0,40} (?:expired|timeout exceeded|timed out)
        been in the queue too long
        expired after
        could not (?:be )?(?:send|sent|deliver(?:ed)?) [^.;:]{0,40}for \d+ (?:hours|days|seconds)
        queue (?:lifetime|time)
        not (?:yet )?(?:been )?delivered[^;:]{0,40}(?:after|within|in) \d
        giving up after
        \bdelivery time expired
        too old
        failed \d+ attempts
        number of retries
        has been frozen
        warning: message[^.;]{0,60} delayed
        retried for
        unable to deliver for
        keep(?:s)? trying (?:to deliver|until)
        message (?:timed|time) ?out
        could not deliver[^.;:]{0,40} for
        retry period
        """,
    ),
    (
        "relay",
        r"""
        (?:do not|don't) relay
        insecure mail relay
        relay(?:ing)?(?: access| mail)?(?: to [^ ]{1,100})?(?: is| was)? (?:denied|prohibited|disallowed|forbidden|rejected)
        relay(?:ing)? (?:is )?not (?:permitted|allowed|authorized)
        unable to relay
        (?:not|isn't) (?:permitted|allowed|authorized) to relay
        relay not permitted
        (?:open|third.party|as a) relay
        not (?:a )?(?:local|relay) (?:host|domain)
        rcpthosts
        that domain isn't in my list
        we do not relay
        relaying (?:mail )?from
        no relaying
        must be local
        relay(?:ing)? denied
        (?:configured|allowed) to relay
        rely on
        relay mail
        """,
    ),
    (
        "moved",
        r"""
        (?:user|recipient|account|mailbox|address|he|she) (?:\S{1,100} )?(?:has )?(?:moved|changed)\b
        has moved to
        has been replaced by
        new (?:e-?mail )?address is
        user (?:not local|has moved)[;,] please try
        please (?:use|update)[^.;:]{0,40} address
        """,
    ),
    (
        "reputation",
        r"""
        \bblack ?-?list
        block(?:ed|ing)? ?-?list
        \bdeny ?-?list
        \bdnsbl\b
        \brbl\b
        \blisted (?:in|on|at|by|as)\b
        spamhaus
        spamcop
        barracuda ?central
        sorbs
        senderbase
        senderscore
        sender ?score
        trustedsource
        proofpoint\.com
        abuseat
        uceprotect
        (?:bad|poor|low|no|your|very low|insufficient)[^.;:]{0,25} reputation
        reputation of
        blocked (?:using|by|due|for|because|from)[^.;]{0,60}(?:ip|list|host|sender score)
        (?:your|the|this|sending|source|client|connecting)[^.;:]{0,20} ?(?:ip|host|network|mail server|mta|server|connection|range|mtas)\b[^.;:]{0,80}(?:block|banned|denied|reject|refus|restrict|not (?:allowed|accept)|listed|suspicious|abus)
        client host (?:\S{1,100} )?(?:blocked|rejected)
        banned (?:sending |ip|host)
        bad (?:sending )?(?:ip|host)
        (?:connection|access|session)s? (?:has been |was |is |from )?[^.;:]{0,60}(?:dropped|rejected|refused|denied|blocked)[^.;:]{0,40}(?:by (?:the )?(?:administrator|policy|filter|access)|ip|host)
        (?:dynamic|dial-?up|residential|generic|dul)\b[^.;]{0,60}(?:ip|addr|host|pool|range)
        dynablock
        dynamic/
        ip (?:address )?[^.;:]{0,60}(?:blocked|refused|banned|rejected)
        blocked for spam
        spam source
        sent from a(?:n)? (?:spam|dynamic)
        (?:esmtp|smtp|mail) (?:not accepted|not allowed) from
        access denied[^.;]{0,30}(?:ip|host)
        messages? from [^ ]{1,100} (?:was |were |has been |weren't )?(?:blocked|temporarily deferred|refused|sent)
        temporarily deferred due to (?:user complaints|unexpected volume)
        too many spams? from
        invalid ip for sending
        hosts? (?:is )?(?:blocked|banned)
        """,
    ),
    (
        "rate",
        r"""
        too many (?:messages|connections?|concurrent|emails?|mails?|simultaneous|sessions|recipients|rcpt|addresses|deliveries|e-?mails|requests|invalid)
        rate[ -]?limit
        throttl
        (?:sending|message|mail|delivery|rate|recipient|hourly|daily)[^.;:]{0,20} (?:rate|limit|quota)[^.;:]{0,30} exceed
        exceed\w*[^.;:]{0,50} (?:rate|hourly|daily|per (?:hour|day|minute)|connections|concurren|number of (?:mess|recip|conn))
        frequency limited
        relay quota
        at a rate that
        unusual rate
        connection (?:rate )?limit
        try again (?:later )?slower
        gr[ea]y-?list
        postgrey
        sending (?:limit|too)
        mails? per
        concurrent connection
        """,
    ),
    (
        "policy",
        r"""
        \bspf\b
        sender policy framework
        \bdkim\b
        \bdmarc\b
        \barc\b fail
        authentication (?:check|result|information|requirement|fail)
        unauthenticated
        not authenticated
        fails? authentication
        pass authentication
        \bptr\b
        reverse[ -]?dns
        \brdns\b
        reverse (?:mapping|lookup|hostname|resol)
        cannot (?:find|resolve) your (?:reverse |host)
        no (?:valid )?reverse
        fcrdns
        client host rejected
        cannot resolve your address
        hostname (?:lookup|verif)
        helo (?:command|argument|name|host)
        helo/ehlo
        invalid (?:helo|ehlo)
        rfc ?\d{3,4}
        not (?:rfc|compliant)
        non-compliant
        multiple (?:from|subject|addresses in)
        sender (?:address|domain|is|was|denied|not|rejected|verify|verification|blocked|refused|unknown|you)
        mail from (?:domain|address|command)
        domain of sender
        (?:return|envelope|from)[ -](?:path|sender|address)[^.;:]{0,40}(?:reject|invalid|denied|not|does|refused|block)
        unverified sender
        invalid sender
        (?:5[05]\d|5\.\d\.\d) access denied
        access (?:is )?denied
        command rejected
        not (?:accept|permit|allow)\w*[^.;:]{0,40} from (?:this|your|you|that|the) (?:sender|address|domain)
        tls (?:required|is required|negotiat)
        starttls
        encryption (?:required|needed)
        authentication (?:is )?required
        require[sd]? (?:smtp )?auth
        permission to post
        groups\.google\.com/support
        polic(?:y|ies)
        prohibit
        not authori[sz]ed
        unauthori[sz]ed
        not permitted
        administrative
        restricted
        do not have permission
        not allowed to send
        not in the allowed
        """,
    ),
    (
        "content",
        r"""
        \bspam
        \bjunk\b
        \buce\b
        unsolicited
        bulk mail
        phish
        malware
        virus
        infected
        worm\b
        trojan
        clamav
        dangerous
        attachment
        content (?:reject|filter|block|restrict|not)
        (?:rejected|blocked|refused)[^.;:]{0,30} content
        message content
        high scor
        bogofilter
        spamassassin
        bayes
        (?:invalid|bad|missing|malformed|illegal|no|improper) (?:header|mime|message-id|date|from header|subject)
        mime (?:error|part|structure)
        header (?:error|check|size|field)
        headers? too
        8bit
        blocked (?:url|link)
        url (?:in|found|listed)
        \bsurbl
        \buribl
        suspicious
        unacceptable
        executable
        looks like
        considered
        message (?:was )?(?:rejected|refused) (?:due to|because of|by filter)
        line (?:too long|length)
        too long lines
        not (?:a )?(?:text|plain)
        improper use
        charset
        """,
    ),
    (
        "too_big",
        r"""
        too (?:big|large)\b
        larger than
        size (?:restrict|exceed)
        message length
        """,
    ),
    (
        "suspended",
        r"""
        BOX[^.;:]{0,60} (?:is |was |has been |are |temporarily |currently |been )*(?:disabled|suspended|inactive|deactivated|locked|not active|expired|closed|frozen|discontinued|cancel\w*|blocked|terminated|dormant|deleted|removed|retired|invalidated)
        (?:disabled|inactive|suspended|deactivated|expired|locked|closed|dormant|canceled|terminated|frozen) BOX
        account[^.;:]{0,30}(?:disabled|discontinued|unavailable)
        not been (?:used|accessed|activated)
        no longer (?:active|available|accept\w*|in use|valid|used)
        unavailable: (?:user|account)
        (?:disabled|inactive|suspended)\b
        """,
    ),
    (
        "host_unknown",
        r"""
        host (?:or domain name )?(?:is )?(?:not found|unknown|not exist|does not exist)
        unknown (?:host|domain|mail host|mailer host)
        host unknown
        hostname? (?:not|lookup)
        domain[^.;:@]{0,60} (?:not found|(?:does not|doesn't) exist|is not (?:valid|known)|does not receive|invalid|is not hosted)
        no such (?:domain|host)
        name service error
        null ?mx
        nullmx
        domain (?:must resolve|is dead|has no)
        unrouteable (?:mail )?domain
        unrout\w+ address
        invalid (?:domain|host|mx)
        (?:couldn't|could not|cannot|can't|unable to) (?:find|resolve|look ?up)[^.;]{0,60}(?:host|domain|mx|ip|address)
        no (?:a|mx|dns|route|mail)\b[^.;:]{0,30} (?:record|servers|host|address|found)[^.;:]{0,30}(?:for|found|domain)?
        dns (?:error|fail\w*|lookup|soft|query|type|server)
        nxdomain
        illegal host
        all relevant mx records
        does not (?:accept|receive) (?:any )?(?:e-?mail|mail)\b
        no mail (?:here|server)
        mx (?:record|lookup|points)
        mail for [^ ]{1,200} loops
        not accept(?:ing)? (?:any )?(?:mail|messages) (?:for|here)
        name resolution
        delivery network
        """,
    ),
    (
        "network",
        r"""
        connect(?:ion|ed|ing|)? (?:to [^ ]{1,200} )?(?:was |is |has been )?(?:timed out|refused|reset|fail\w*|dropped|lost|closed|time ?out|could not|established|died|denied)
        lost connection
        no route to
        network (?:is )?(?:unreachable|error|problem|failure)
        host (?:is )?(?:unreachable|down|not reachable|not responding)
        unreachable
        timed out
        time ?out
        (?:unable|failed|could not|couldn't|cannot) (?:to )?(?:connect|establish|contact|open a connection)
        broken pipe
        no answer
        not respond
        too many hops
        hop count
        mail loop
        \bloop(?:s|ing)?\b
        routing (?:loop|error)
        peer reset
        bad connection
        all (?:mx )?hosts
        deferred: connection
        sockets?\b
        too many received
        name server: [^ ]{1,200}: host name lookup
        greeting
        unable to route
        (?:no|any) (?:mail )?(?:server|host)s? available
        """,
    ),
    (
        "user_unknown",
        r"""
        (?:unknown|no such|invalid|non-?existent|unrecogni[sz]ed|undeliverable|illegal|bad|not a valid|not a known|wrong|unavailable|no known|incorrect|nosuch) (?:or \S+ )?(?:\S+ )?(?:destination )?BOX
        BOX\b[^.;:]{0,120}[: ](?:unknown|not (?:found|known|exist|valid|listed|recogni[sz]ed|local|here|a |in |active|have|on|available|allowed)|unavailable|invalid|NOT|isn't|undeliverable|reject|can(?: not|'t|not)|no longer|no such)
        \bNOT (?:exist|have (?:a|an|any)|like (?:the )?recipient|contain)
        no (?:\S+ ){0,2}(?:mailbox|user|account|recipient|address|one)\b
        dosn't exist
        (?:could not|couldn't|cannot|can't|unable to|fail\w* to) (?:find|locate|validate|verify|match|look ?up)
        recipient(?:s)? (?:address )?(?:rejected|denied|refused|notfound|not ?found|unknown)
        resolver\.adr
        recipnotfound
        recipientnotfound
        not listed in
        isn't in
        unknown (?:user|recipient|address|local)
        user unknown
        userunknown
        unknown to address
        no mailbox here
        mailbox (?:name|unavailable|not)
        not our customer
        (?:user|name|address|recipient|account|mailbox)(?: \S{1,100})? (?:is )?not
        there is no
        no recipients
        not (?:a )?valid
        this (?:user|address|account)
        \bunknown\b
        destination (?:server|addresses) (?:for|were)
        does not like recipient
        見つかりません
        宛先不明
        存在しません
        ありません
        """,
    ),
    (
        "system",
        r"""
        (?:local|server|system|internal|configuration|configured|database|software|service|resource|backend|temporary|technical|mail system|disk|i/o|ldap|processing|lookup|program|pipe|command|mailer|script|delivery)[^.;:]{0,30} (?:error|problem|fail\w*|fault|trouble|unavailable|full|died|crash|issue|exited)
        (?:error|failure) (?:in|while|writing|opening|processing|during)
        insufficient
        not enough
        resources
        no space
        out of memory
        can(?:'t|not) (?:open|create|write|chdir|lock|read|fork|output)
        permission denied
        exit (?:status|code)
        unavailable
        overload
        too busy
        try (?:again )?later
        shutting down
        maintenance
        i?o error
        unable to (?:write|open|read|process|chdir|save)
        storage
        misconfig
        not configured
        """,
    ),
    (
        "protocol",
        r"""
        syntax
        malformed address
        command (?:not|unrec|unknown|out)
        bad sequence
        unrecogni[sz]ed command
        invalid (?:command|parameter|argument)
        need mail
        not implemented
        protocol (?:error|violation)
        bad command
        unexpected
        unsupported
        nested mail
        """,
    ),
    # -- no reason, but a decision ------------------------------------------------------------
    (
        "policy",
        r"""
        reject
        refus
        denied
        not accept
        rejet
        """,
    ),
)
