//! Whether numbers and texts could be read on their way to a gateway. Plain HTTP is for this machine
//! and private networks, as an SMTP session without TLS is; nothing is resolved or connected here.

use std::net::{IpAddr, Ipv6Addr};

use reqwest::Url;

/// A way on which everybody can read along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenWay {
    /// Where it leads.
    pub host: String,
    /// It certainly leads across public networks. Of a name nobody can tell without asking for it.
    pub public: bool,
}

/// The way to this address, if it is an open one.
pub(super) fn open_way(url: &Url) -> Option<OpenWay> {
    let host = url.host_str().filter(|_| url.scheme() == "http")?;
    let address: Result<IpAddr, _> = host.trim_matches(['[', ']']).parse();
    let public = match address.map(|address| address.to_canonical()) {
        Ok(IpAddr::V4(a)) if a.is_loopback() || a.is_private() || a.is_link_local() => return None,
        Ok(IpAddr::V6(a)) if is_near(a) => return None,
        Ok(_) => true,
        // A name of one word is found in the agency's own network only.
        Err(_) if !host.contains('.') || host.ends_with(".localhost") => return None,
        Err(_) => false,
    };
    Some(OpenWay {
        host: host.to_owned(),
        public,
    })
}

/// This machine, this link, or a network of the agency's own (RFC 4193).
fn is_near(address: Ipv6Addr) -> bool {
    address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_this_machine_and_private_networks() {
        let way = |url: &str| open_way(&url.parse().unwrap()).map(|way| way.public);
        for near in [
            "https://sms.example.net/send",
            "https://203.0.113.7/send",
            "http://127.0.0.1:13013/send",
            "http://localhost/send",
            "http://kannel:13013/send",
            "http://10.1.2.3/send",
            "http://192.168.0.9/send",
            "http://[::1]/send",
            "http://[fd00::7]/send",
            "http://[::ffff:10.1.2.3]/send",
        ] {
            assert_eq!(way(near), None, "{near}");
        }
        for public in [
            "http://203.0.113.7/send",
            "http://172.32.0.1/send",
            "http://[2001:db8::7]/send",
            "http://[::ffff:203.0.113.7]/send",
        ] {
            assert_eq!(way(public), Some(true), "{public}");
        }
        assert_eq!(way("http://sms.example.net/send"), Some(false));
    }
}
