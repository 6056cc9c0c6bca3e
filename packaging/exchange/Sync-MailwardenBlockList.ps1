<#
.SYNOPSIS
    Keeps the IP block list of an Exchange Edge Transport server like a list of Mailwarden.

.DESCRIPTION
    Fetches decisions.json of the gateway "feeds" and reconciles: what is listed and refused is
    added, with the time at which its lease ends; what is listed no more is removed. Only entries
    whose comment begins with "mailwarden " are touched. Run it every minute or so, as a scheduled
    task on the Edge Transport server (Add-IPBlockListEntry exists there only).

    Where the list cannot be fetched, or is not what it should be, nothing is changed: the entries
    end by themselves. Every entry is checked again here: too wide a network, or too many entries,
    are refused.

.PARAMETER Feed
    Address of the list, as https://mailwarden.example.org:4002/feeds/decisions.json

.PARAMETER KeyFile
    A file whose first line is the key of this reader. Only administrators should read it.

.PARAMETER MaximumEntries
    With more than so many the list is not believed.

.EXAMPLE
    .\Sync-MailwardenBlockList.ps1 -Feed https://mw.example.org:4002/feeds/decisions.json -KeyFile C:\ProgramData\mailwarden\key.txt -WhatIf
#>
[CmdletBinding(SupportsShouldProcess = $true)]
param(
    [Parameter(Mandatory = $true)] [uri] $Feed,
    [string] $KeyFile = '',
    [ValidateRange(1, 100000)] [int] $MaximumEntries = 5000,
    [ValidateRange(1, 300)] [int] $TimeoutSeconds = 30
)

Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'

$Mark = 'mailwarden '
$Actions = @('drop', 'reject')
$Shortest = @{ 'InterNetwork' = 8; 'InterNetworkV6' = 19 }
$Longest = @{ 'InterNetwork' = 32; 'InterNetworkV6' = 128 }
$SnapIn = 'Microsoft.Exchange.Management.PowerShell.SnapIn'

function Get-MailwardenRecord {
    # The records of the list. Throws where it is none.
    $headers = @{ 'Accept' = 'application/json' }
    if ($KeyFile) {
        $key = @(Get-Content -LiteralPath $KeyFile -TotalCount 1)[0].Trim()
        $headers['Authorization'] = 'Bearer ' + $key
    }
    # Windows PowerShell 5.1 does not offer TLS 1.2 on every system by itself.
    $protocols = [Net.ServicePointManager]::SecurityProtocol
    [Net.ServicePointManager]::SecurityProtocol = $protocols -bor [Net.SecurityProtocolType]::Tls12
    $answer = Invoke-WebRequest -Uri $Feed -Headers $headers -UseBasicParsing -TimeoutSec $TimeoutSeconds
    $text = [string] $answer.Content
    if (-not $text.TrimStart().StartsWith('[')) {
        throw 'The list is no JSON array.'
    }
    # One after the other, also where PowerShell hands the whole array on, or nothing for [].
    $records = @(ConvertFrom-Json -InputObject $text | ForEach-Object { $_ } | Where-Object { $null -ne $_ })
    if ($records.Count -gt $MaximumEntries) {
        throw ('The list has {0} entries: more than {1} are not believed.' -f $records.Count, $MaximumEntries)
    }
    return , $records
}

function Get-NetworkText {
    # Address or network in canonical form; '' where it is none, or too wide to be believed.
    param([string] $Value)
    $parts = $Value.Split('/')
    $address = $null
    if ($parts.Count -gt 2 -or -not [Net.IPAddress]::TryParse($parts[0], [ref] $address)) {
        return ''
    }
    $family = $address.AddressFamily.ToString()
    if ($family -eq 'InterNetwork' -and $address.ToString() -ne $parts[0]) {
        return ''  # "198.51.100" is an address as well, to .NET
    }
    if (-not $Longest.ContainsKey($family)) {
        return ''
    }
    $length = $Longest[$family]
    if ($parts.Count -eq 2 -and -not [int]::TryParse($parts[1], [ref] $length)) {
        return ''
    }
    if ($length -lt $Shortest[$family] -or $length -gt $Longest[$family]) {
        return ''
    }
    if ($length -eq $Longest[$family]) {
        return $address.ToString()
    }
    return '{0}/{1}' -f $address.ToString(), $length
}

if (-not (Get-Command -Name Add-IPBlockListEntry -ErrorAction SilentlyContinue)) {
    Add-PSSnapin -Name $SnapIn
}

# What should be there: by comment, which says network and end, so that a longer lease is another one.
$now = [DateTimeOffset]::UtcNow.ToUnixTimeSeconds()
$wanted = @{}
$refused = 0
foreach ($record in (Get-MailwardenRecord)) {
    if ($record.kind -ne 'network' -or $Actions -notcontains $record.action) {
        continue
    }
    $until = [long] [Math]::Floor([double] $record.until)
    if ($until -le $now) {
        continue
    }
    $network = Get-NetworkText -Value ([string] $record.value)
    if (-not $network) {
        $refused += 1
        continue
    }
    $comment = '{0}{1} {2}' -f $Mark, $network, $until
    $wanted[$comment] = @{ 'Network' = $network; 'Until' = $until }
}
if ($refused -gt 0) {
    Write-Warning ('{0} entries were refused: too wide, or no networks.' -f $refused)
}

# What is there of ours.
$present = @{}
foreach ($entry in @(Get-IPBlockListEntry)) {
    $comment = [string] $entry.Comment
    if ($comment.StartsWith($Mark, [StringComparison]::Ordinal)) {
        $present[$comment] = $entry.Identity
    }
}

$added = 0
$removed = 0
$failed = 0

# First what goes: a network that is listed already cannot be added again.
foreach ($comment in @($present.Keys)) {
    if ($wanted.ContainsKey($comment)) {
        continue
    }
    if ($PSCmdlet.ShouldProcess($comment, 'Remove-IPBlockListEntry')) {
        try {
            Remove-IPBlockListEntry -Identity $present[$comment] -Confirm:$false
            $removed += 1
        }
        catch {
            $failed += 1
            Write-Warning ('{0}: {1}' -f $comment, $_.Exception.Message)
        }
    }
}

foreach ($comment in @($wanted.Keys)) {
    if ($present.ContainsKey($comment)) {
        continue
    }
    $network = $wanted[$comment]['Network']
    # A DateTime, not text: text would be read in the format of the system's region.
    $end = [DateTimeOffset]::FromUnixTimeSeconds($wanted[$comment]['Until']).LocalDateTime
    if ($PSCmdlet.ShouldProcess($comment, 'Add-IPBlockListEntry')) {
        try {
            if ($network.Contains('/')) {
                $null = Add-IPBlockListEntry -IPRange $network -ExpirationTime $end -Comment $comment
            }
            else {
                $null = Add-IPBlockListEntry -IPAddress $network -ExpirationTime $end -Comment $comment
            }
            $added += 1
        }
        catch {
            $failed += 1
            Write-Warning ('{0}: {1}' -f $comment, $_.Exception.Message)
        }
    }
}

[pscustomobject] @{
    Wanted  = $wanted.Count
    Added   = $added
    Removed = $removed
    Refused = $refused
    Failed  = $failed
}
if ($failed -gt 0) {
    exit 1
}
