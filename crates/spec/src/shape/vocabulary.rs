//! What messages call things, what people write for them, and which word was most likely meant.

/// Names of enumerations in the schema, their codes and what messages call them.
pub(super) const ENUMS: &[(&str, &str, &str)] = &[
    ("Role", "unknown-role", "role"),
    ("Arch", "unknown-arch", "architecture"),
    ("Quirk", "unknown-quirk", "quirk"),
    ("Plugin", "unknown-plugin", "pod network plug-in"),
    ("Runtime", "unknown-runtime", "source of the runtime"),
    ("HostNames", "unknown-hosts", "choice of host names"),
    ("Effect", "unknown-effect", "taint effect"),
    ("BuiltIn", "unknown-addon", "add-on"),
    ("Transport", "unknown-protocol", "protocol"),
    ("Family", "unknown-family", "address family"),
    ("FileSystem", "unknown-filesystem", "file system"),
    ("SwapWord", "unknown-swap", "choice about swap"),
];

/// What people write for a key that is called something else here.
pub(super) const SYNONYMS: &[(&str, &str)] = &[
    ("ip", "address"),
    ("host", "address"),
    ("addr", "address"),
    ("hostname", "name"),
    ("nodes", "machines"),
    ("hosts", "machines"),
    ("role", "roles"),
    ("label", "labels"),
    ("taint", "taints"),
    ("architecture", "arch"),
    ("macAddress", "mac"),
    ("hwaddr", "mac"),
    ("podSubnet", "podRange"),
    ("podCIDR", "podRange"),
    ("podNetworkCidr", "podRange"),
    ("clusterCIDR", "podRange"),
    ("serviceSubnet", "serviceRange"),
    ("serviceCIDR", "serviceRange"),
    ("cni", "podNetwork"),
    ("timezone", "zone"),
    ("ntp", "servers"),
    ("subnet", "lan"),
    ("cidr", "lan"),
    ("username", "user"),
    ("identityFile", "key"),
    ("privateKey", "key"),
    ("keyFile", "key"),
    ("bastion", "jump"),
    ("proxyJump", "jump"),
    ("sshKeys", "authorizedKeys"),
    ("timeout", "limit"),
    ("command", "run"),
    ("script", "run"),
    ("undoes", "undo"),
    ("nodeport", "nodePort"),
    ("httpProxy", "http"),
    ("httpsProxy", "https"),
    // The router.
    ("wan", "uplink"),
    ("internet", "uplink"),
    ("iface", "interface"),
    ("nic", "interface"),
    ("gw", "gateway"),
    ("wlan", "wifi"),
    ("wireless", "wifi"),
    ("psk", "passwordFile"),
    ("passphrase", "passwordFile"),
    ("range", "pool"),
    ("leaseTime", "lease"),
    ("static", "reservations"),
    ("hosts", "reservations"),
    ("hosts", "records"),
    ("nameservers", "forwarders"),
    ("upstreams", "forwarders"),
    ("resolvers", "forwarders"),
    ("servers", "forwarders"),
    ("nameservers", "dns"),
    ("ports", "open"),
    ("allow", "open"),
    ("portForwards", "forwards"),
    ("portForwarding", "forwards"),
    ("dnat", "forwards"),
    ("target", "to"),
    ("host", "to"),
    ("targetPort", "toPort"),
    ("wg", "wireguard"),
    ("ovpn", "openvpn"),
    ("peers", "users"),
    ("clients", "users"),
    ("subnet", "range"),
    ("cidr", "range"),
    ("proto", "protocol"),
    ("transport", "protocol"),
    ("dyndns", "ddns"),
    ("dynamicDns", "ddns"),
    ("fqdn", "name"),
    ("domain", "name"),
    ("token", "tokenFile"),
    ("apiToken", "tokenFile"),
    ("interval", "every"),
    ("period", "every"),
    ("registry", "host"),
    ("upstream", "url"),
    ("remoteurl", "url"),
    ("password", "passwordFile"),
    ("credentials", "credentialsFile"),
    ("secretFile", "credentialsFile"),
    ("haproxy", "ingress"),
    ("borg", "backup"),
    ("path", "dir"),
    ("folder", "dir"),
    ("publicKey", "key"),
    ("device", "id"),
    ("mount", "at"),
    ("mountPoint", "at"),
    ("path", "at"),
    ("fs", "filesystem"),
    ("type", "filesystem"),
    ("format", "wipe"),
    ("ipv6", "lan6"),
    ("subnet6", "lan6"),
];

/// The known word that someone most likely meant.
pub(crate) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > 100 {
        return None;
    }
    let squeeze = |s: &str| {
        s.chars()
            .filter(|c| !matches!(c, '-' | '_' | ' ' | '.'))
            .collect::<String>()
            .to_lowercase()
    };
    let wanted = squeeze(word);
    known
        .map(|k| (strsim::damerau_levenshtein(&wanted, &squeeze(k)), k))
        .filter(|(distance, k)| {
            let longest = wanted.chars().count().max(k.chars().count());
            *distance * 3 <= longest
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, k)| k)
}
