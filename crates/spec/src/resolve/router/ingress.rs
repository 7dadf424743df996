//! Rules for web traffic from outside to the cluster.

use super::{Sides, nodes};
use crate::cluster::Ingress;
use crate::file::router as written;
use crate::problem::Problem;
use crate::resolve::Resolver;
use crate::resolve::machines::Known;
use std::net::{IpAddr, Ipv4Addr};

/// The router's own ports for web traffic.
const WEB: [u16; 2] = [80, 443];

impl Resolver<'_> {
    pub(super) fn ingress(
        &mut self,
        section: &written::Router,
        known: &[Known],
        sides: &Sides,
    ) -> Option<Ingress> {
        let ingress = section.ingress.clone()?;
        let path = below!["ingress"];
        let given = ingress.address.is_some();
        let backends: Vec<Ipv4Addr> = match &ingress.address {
            Some(text) => {
                let address = self.lan_address(text, sides.lan(), &below!["ingress", "address"]);
                address.into_iter().collect()
            }
            None => nodes(known)
                .filter_map(|k| match k.address {
                    Some(IpAddr::V4(address)) => Some(address),
                    _ => None,
                })
                .collect(),
        };
        let (http, https) = match (given, ingress.http, ingress.https) {
            (true, None, None) => (Some(80), Some(443)),
            (_, http, https) => (http, https),
        };
        if http.is_none() && https.is_none() && !self.damaged_below(&path) {
            let place = self.key_place(&path);
            self.push(
                Problem::new(
                    "empty-ingress",
                    place,
                    "`ingress` says neither where web traffic goes nor to which port",
                )
                .hint("give `address`, or the node ports `http` and `https`"),
            );
        }
        for (key, port) in [("http", http), ("https", https)] {
            let web = port.filter(|port| WEB.contains(port));
            if web.is_some() && !given && backends.contains(&sides.address.addr()) {
                self.leads_to_itself(key);
            }
        }
        Some(Ingress {
            backends,
            http,
            https,
        })
    }

    /// A router that is a node too would send web traffic to the port where it takes it.
    fn leads_to_itself(&mut self, key: &str) {
        let path = below!["ingress", key];
        self.report(
            "ingress-to-itself",
            &path,
            format!("`{key}` would lead from the router to the router, which is a node too"),
            "use a node port, 30000 to 32767, or give the `address` of the ingress",
        );
    }
}
