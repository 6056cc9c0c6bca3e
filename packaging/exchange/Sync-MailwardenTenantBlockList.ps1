<#
.SYNOPSIS
    Keeps the Tenant Allow/Block List of Microsoft 365 like lists of Mailwarden.

.DESCRIPTION
    Fetches lists of the gateway "feeds" in the format json and reconciles block entries: addresses
    and domains as senders (users cannot write to them either), IPv6 addresses and networks as IP
    (that list takes no IPv4). Each entry has the time at which its lease ends; only entries whose
    notes begin with "mailwarden " are touched.

    Needs the module ExchangeOnlineManagement and an open connection: Connect-ExchangeOnline, for a
    scheduled task with -AppId, -CertificateThumbprint and -Organization. Where a list cannot be
    fetched, nothing is changed.

.PARAMETER Feed
    Addresses of the lists.

.PARAMETER KeyFile
    A file whose first line is the key of this reader.

.PARAMETER MaximumEntries
    Of each kind; the list of a tenant has room for 500 or more, by its licence.

.EXAMPLE
    .\Sync-MailwardenTenantBlockList.ps1 -Feed https://mw.example.org:4002/feeds/senders.json -KeyFile .\key.txt -WhatIf
#>
[CmdletBinding(SupportsShouldProcess = $true)]
param(
    [Parameter(Mandatory = $true)] [uri[]] $Feed,
    [string] $KeyFile = '',
    [ValidateRange(1, 10000)] [int] $MaximumEntries = 500,
    [ValidateRange(1, 300)] [int] $TimeoutSeconds = 30
)

Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'

$Mark = 'mailwarden '
$Actions = @('drop', 'reject')
$Shortest = 19

function Get-MailwardenRecord {
    # The records of one list. Throws where it is none.
    param([uri] $Uri)
    $headers = @{ 'Accept' = 'application/json' }
    if ($KeyFile) {
        $key = @(Get-Content -LiteralPath $KeyFile -TotalCount 1)[0].Trim()
        $headers['Authorization'] = 'Bearer ' + $key
    }
    $answer = Invoke-WebRequest -Uri $Uri -Headers $headers -UseBasicParsing -TimeoutSec $TimeoutSeconds
    $text = [string] $answer.Content
    if (-not $text.TrimStart().StartsWith('[')) {
        throw ('{0} is no JSON array.' -f $Uri)
    }
    # One after the other, also where PowerShell hands the whole array on, or nothing for [].
    return , @(ConvertFrom-Json -InputObject $text | ForEach-Object { $_ } | Where-Object { $null -ne $_ })
}

function Get-EntryType {
    # The list that an entry belongs to; '' where it belongs to none.
    param($Record)
    $value = [string] $Record.value
    if ($Record.kind -eq 'address' -and $value -match '^[^\s@,;"<>]+@[a-z0-9.-]+$') {
        return 'Sender'
    }
    if ($Record.kind -eq 'domain' -and $value -match '^[a-z0-9-]+(\.[a-z0-9-]+)+$') {
        return 'Sender'
    }
    if ($Record.kind -eq 'network') {
        $parts = $value.Split('/')
        $address = $null
        $length = 128
        if ($parts.Count -le 2 -and [Net.IPAddress]::TryParse($parts[0], [ref] $address) -and
            $address.AddressFamily.ToString() -eq 'InterNetworkV6' -and
            ($parts.Count -eq 1 -or [int]::TryParse($parts[1], [ref] $length)) -and
            $length -ge $Shortest -and $length -le 128) {
            return 'IP'
        }
    }
    return ''
}

# What should be there, by list and value; of several the one that ends last.
$now = [DateTimeOffset]::UtcNow.ToUnixTimeSeconds()
$wanted = @{ 'Sender' = @{}; 'IP' = @{} }
foreach ($uri in $Feed) {
    foreach ($record in (Get-MailwardenRecord -Uri $uri)) {
        $type = Get-EntryType -Record $record
        $until = [long] [Math]::Floor([double] $record.until)
        if (-not $type -or $until -le $now -or $Actions -notcontains $record.action) {
            continue
        }
        $value = [string] $record.value
        $known = $wanted[$type]
        if (-not $known.ContainsKey($value) -or $known[$value] -lt $until) {
            $known[$value] = $until
        }
    }
}
foreach ($type in @($wanted.Keys)) {
    if ($wanted[$type].Count -gt $MaximumEntries) {
        throw ('{0} entries of {1}: more than {2} are not believed.' -f $wanted[$type].Count, $type, $MaximumEntries)
    }
}

$added = 0
$removed = 0
$failed = 0
foreach ($type in @('Sender', 'IP')) {
    # What is there of ours, by value; its notes say when it ends.
    $present = @{}
    foreach ($entry in @(Get-TenantAllowBlockListItems -ListType $type -Block)) {
        $notes = [string] $entry.Notes
        if ($notes.StartsWith($Mark, [StringComparison]::Ordinal)) {
            $present[[string] $entry.Value] = $notes
        }
    }
    foreach ($value in @($present.Keys)) {
        $stays = $wanted[$type].ContainsKey($value) -and
            $present[$value] -eq ('{0}{1}' -f $Mark, $wanted[$type][$value])
        if ($stays) {
            continue
        }
        if ($PSCmdlet.ShouldProcess($value, 'Remove-TenantAllowBlockListItems')) {
            try {
                $null = Remove-TenantAllowBlockListItems -ListType $type -Entries $value
                $present.Remove($value)
                $removed += 1
            }
            catch {
                $failed += 1
                Write-Warning ('{0}: {1}' -f $value, $_.Exception.Message)
            }
        }
    }
    foreach ($value in @($wanted[$type].Keys)) {
        if ($present.ContainsKey($value)) {
            continue
        }
        $until = $wanted[$type][$value]
        $end = [DateTimeOffset]::FromUnixTimeSeconds($until).UtcDateTime
        if ($PSCmdlet.ShouldProcess($value, 'New-TenantAllowBlockListItems')) {
            try {
                $notes = '{0}{1}' -f $Mark, $until
                $null = New-TenantAllowBlockListItems -ListType $type -Block -Entries $value -ExpirationDate $end -Notes $notes
                $added += 1
            }
            catch {
                $failed += 1
                Write-Warning ('{0}: {1}' -f $value, $_.Exception.Message)
            }
        }
    }
}

[pscustomobject] @{
    Wanted  = $wanted['Sender'].Count + $wanted['IP'].Count
    Added   = $added
    Removed = $removed
    Failed  = $failed
}
if ($failed -gt 0) {
    exit 1
}
