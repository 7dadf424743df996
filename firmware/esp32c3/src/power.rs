//! The watchdog, and deep sleep.

use crate::button::Button;
use esp_hal::peripherals::{LPWR, RTC_TIMER};
use esp_hal::rtc_cntl::sleep::{LowPower, RtcSleepConfig};
use esp_hal::rtc_cntl::{Rtc, RwdtStage};
use esp_hal::time::Duration;

/// The watchdog resets whoever doesn't feed it for this long. The longest wait of the state machine is its last screen's.
const WATCHDOG: Duration = Duration::from_secs(60);
const _: () =
    assert!(bramble_button::limits::SHOW_RESULT < 60_000 && bramble_button::limits::CLOCK < 60_000);

/// Watchdog and sleep.
pub struct Power {
    rtc: Rtc<'static>,
    low: LowPower<'static>,
}

impl Power {
    /// Starts the watchdog.
    pub fn new(low: LPWR<'static>, timer: RTC_TIMER<'static>) -> Self {
        let mut rtc = Rtc::new(timer);
        rtc.rwdt.enable();
        rtc.rwdt.set_timeout(RwdtStage::Stage0, WATCHDOG);
        Self {
            rtc,
            low: LowPower::new(low),
        }
    }

    /// Says that everything goes on.
    pub fn feed(&mut self) {
        self.rtc.rwdt.feed();
    }

    /// Sleeps until the button is pressed: the program begins anew then. A button that is held down when sleep begins
    /// wakes it at once, as a press.
    pub fn sleep(mut self, mut button: Button) -> ! {
        self.rtc.rwdt.disable();
        button.wakes();
        self.low.sleep_deep(RtcSleepConfig::deep())
    }
}
