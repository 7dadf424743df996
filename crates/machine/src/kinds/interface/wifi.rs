//! The wireless network that an interface joins.

use crate::Script;
use crate::kinds::file::{Content, File};
use crate::shell::word;
use bramble_secret::Secret;
use std::fmt::Write as _;

/// A wireless network with a password.
#[derive(Debug, Clone)]
pub struct Wifi {
    /// Its name, 1 to 32 bytes.
    pub ssid: String,
    /// Its password, see [`passphrase_fault`].
    pub password: Secret,
    /// Two capital letters: the law decides which channels may be used.
    pub country: String,
}

/// Why a password can't be one of WPA; `None` if it can.
pub fn passphrase_fault(password: &str) -> Option<String> {
    let length = password.chars().count();
    if !(8..=63).contains(&length) {
        return Some(format!("it has {length} characters, and WPA wants 8 to 63"));
    }
    let printable = password.chars().all(|c| c == ' ' || c.is_ascii_graphic());
    (!printable).then(|| "it holds a character that is not printable ASCII".into())
}

impl Wifi {
    /// Where `wpa_supplicant@.service` looks for the settings of an interface.
    pub fn conf_path(&self, interface: &str) -> String {
        format!("/etc/wpa_supplicant/wpa_supplicant-{interface}.conf")
    }

    /// The settings for wpa_supplicant, for machines without NetworkManager.
    pub fn conf(&self, interface: &str) -> File {
        let mut text = String::from("# Made by Bramble.\nctrl_interface=/run/wpa_supplicant\n");
        let _ = write!(
            text,
            "country={}\nnetwork={{\n\tssid={}\n\tkey_mgmt=WPA-PSK WPA-PSK-SHA256 SAE\n\tieee80211w=1\n\tpsk=\"{}\"\n}}\n",
            self.country,
            // Hexadecimal: no character of it can mean anything.
            hex::encode(&self.ssid),
            self.password.expose()
        );
        let secret = Content::Secret(Secret::new(text));
        let mut file = File::new(self.conf_path(interface), secret, 0o600);
        file.disruptive = true;
        file
    }

    /// A drop-in for `wpa_supplicant@.service` that keeps the card awake.
    pub fn awake(interface: &str) -> File {
        let path = format!("/etc/systemd/system/wpa_supplicant@{interface}.service.d/bramble.conf");
        // The leading `-`: there are drivers without power save.
        let text =
            "# Made by Bramble.\n[Service]\nExecStartPost=-/sbin/iw dev %I set power_save off\n";
        File::text(path, text)
    }

    /// Boards whose country was never set come with their radio switched off.
    pub(super) fn allow_radio(&self) -> Script {
        Script::of(format!(
            "iw reg set {} || :\n\
             for r in /sys/class/rfkill/rfkill*; do\n\
             \t[ ! -e \"$r/type\" ] || [ \"$(cat \"$r/type\")\" != wlan ] || echo 0 >\"$r/soft\" || :\n\
             done\n\
             iw dev \"$I\" set power_save off || :",
            word(&self.country)
        ))
    }
}
