//! Rules for a name that follows the router's public address.

use crate::cluster::{Ddns, DdnsSource, Family};
use crate::file::router as written;
use crate::resolve::Resolver;
use crate::syntax;
use crate::tree::shorten;

/// Where the DNS provider is.
const CLOUDFLARE: &str = "https://api.cloudflare.com/client/v4";
/// Seconds between two looks at the public address.
const EVERY: u32 = 300;

impl Resolver<'_> {
    pub(super) fn ddns(&mut self, section: &written::Router) -> Option<Ddns> {
        let ddns = section.ddns.clone()?;
        let source = self.ddns_source(ddns.source.as_deref());
        let api = ddns.api.unwrap_or_else(|| CLOUDFLARE.to_owned());
        let api_path = below!["ddns", "api"];
        self.url(&api, &api_path, "bad-service-url", "the API", CLOUDFLARE);
        self.api_is_private(&api);
        if let Some(file) = &ddns.token_file {
            self.token_file(file);
        }
        for (key, value) in [("name", &ddns.name), ("zone", &ddns.zone)] {
            if let Some(text) = value {
                self.domain(text, &below!["ddns", key]);
            }
        }
        let (name, zone) = (ddns.name?, ddns.zone?);
        self.name_in_zone(&name, &zone);
        Some(Ddns {
            name,
            zone,
            token_file: ddns.token_file?,
            source,
            families: ddns.families.unwrap_or_else(|| vec![Family::Ipv4]),
            every: ddns.every.unwrap_or(EVERY),
            api: api.trim_end_matches('/').to_owned(),
        })
    }

    fn name_in_zone(&mut self, name: &str, zone: &str) {
        let inside = name == zone || name.ends_with(&format!(".{zone}"));
        if inside || !syntax::dns_name(name) || !syntax::dns_name(zone) {
            return;
        }
        let hint = match name.contains('.') {
            true => format!("write a name that ends with `.{}`", shorten(zone)),
            false => format!("write it in full: `{}.{}`", shorten(name), shorten(zone)),
        };
        self.report(
            "ddns-outside-zone",
            &below!["ddns", "name"],
            format!("`{}` is not in the zone `{}`", shorten(name), shorten(zone)),
            hint,
        );
    }

    /// A token is told from the name of its file: those of Cloudflare are 40 letters, digits, `-` and `_`.
    fn token_file(&mut self, file: &str) {
        let path = below!["ddns", "tokenFile"];
        let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if file.len() == 40 && file.chars().all(letters) {
            self.report(
                "secret-in-file",
                &path,
                "this looks like the token itself, not like the name of its file",
                "put the token into a file only you can read, and its path here; make a new one, because this one may be known to others",
            );
            return;
        }
        self.path_value(file, &path);
    }

    /// The token goes with every request: in clear only inside a network of the operator's own.
    fn api_is_private(&mut self, url: &str) {
        let Some(rest) = url.strip_prefix("http://") else {
            return;
        };
        let place = rest.split('/').next().unwrap_or_default();
        let host = syntax::host_port(place).map_or(place, |(host, _)| host);
        let near = match host.parse() {
            Ok(std::net::IpAddr::V4(address)) => address.is_loopback() || address.is_private(),
            Ok(std::net::IpAddr::V6(address)) => address.is_loopback() || address.is_unique_local(),
            Err(_) => host == "localhost",
        };
        if !near {
            self.report(
                "token-in-clear",
                &below!["ddns", "api"],
                format!("`{}` would send the token unencrypted", shorten(url)),
                "write https://; http:// is for an address of your own network",
            );
        }
    }

    fn ddns_source(&mut self, text: Option<&str>) -> DdnsSource {
        match text {
            None => DdnsSource::Auto,
            Some("uplink") => DdnsSource::Uplink,
            Some(text) => {
                let path = below!["ddns", "source"];
                let example = "https://api.ipify.org, or write `uplink`";
                let noun = "a page that answers with the address";
                self.url(text, &path, "bad-service-url", noun, example);
                DdnsSource::Url(text.to_owned())
            }
        }
    }
}
