//! The end of a program that went wrong.

use core::panic::PanicInfo;
use esp_println::println;

/// Says why and begins anew. After a reset the button waits for the console and sleeps: a defect that comes with each
/// press empties no battery.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    println!("{info}");
    esp_hal::system::software_reset()
}
