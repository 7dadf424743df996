//! Arguments about an MQTT broker that is there already.

use crate::broker::Way;
use clap::Args;
use std::path::PathBuf;

/// The way to a broker.
#[derive(Debug, Args)]
pub struct BrokerArgs {
    /// A broker that is there already: mqtts://HOST[:PORT], or mqtt://HOST[:PORT] without TLS.
    #[arg(id = "broker", long = "broker", value_name = "URL")]
    pub url: Option<String>,
    /// File with the authority that the broker's certificate is from, in PEM; by default those of the web.
    #[arg(long, value_name = "FILE", requires = "broker")]
    pub broker_ca: Option<PathBuf>,
    /// File with user and password for the broker, a line each.
    #[arg(long, value_name = "FILE", requires = "broker")]
    pub broker_login: Option<PathBuf>,
    /// SOCKS5 proxy on the way to the broker: socks5h://HOST[:PORT].
    #[arg(long, value_name = "URL", requires = "broker")]
    pub broker_proxy: Option<String>,
}

impl BrokerArgs {
    /// The way to the broker, if one is named.
    pub fn way(&self) -> Option<Way<'_>> {
        Some(Way {
            url: self.url.as_deref()?,
            authority: self.broker_ca.as_deref(),
            login: self.broker_login.as_deref(),
            proxy: self.broker_proxy.as_deref(),
        })
    }
}
