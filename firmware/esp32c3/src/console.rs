//! The console at the board's USB port.

use crate::flash::Flash;
use crate::power::Power;
use bramble_button_settings::{Console, Reply};
use embedded_io_async::Read;
use esp_hal::peripherals::USB_DEVICE;
use esp_hal::usb::usb_serial_jtag::UsbSerialJtag;
use esp_println::println;

const HELP: &str = "settings   paste new settings, ended by a line `end`\nshow       show the settings\nsleep      sleep until a press";

/// Answers until it is told to sleep.
pub async fn serve(usb: USB_DEVICE<'static>, flash: &mut Flash, power: &mut Power) {
    let mut port = UsbSerialJtag::new(usb).into_async();
    let mut console = Console::default();
    println!("\nBramble's dash button\n{HELP}");
    show(flash);
    loop {
        let mut byte = [0];
        let Ok(1) = Read::read(&mut port, &mut byte).await else {
            continue;
        };
        power.feed();
        match console.byte(byte[0]) {
            Reply::Nothing => {}
            Reply::Help => println!("{HELP}"),
            Reply::Paste => println!("paste the settings, then a line `end`"),
            Reply::Show => show(flash),
            Reply::Wrong(fault) => println!("nothing was written: {fault}"),
            Reply::Write => match flash.write(console.written()) {
                Ok(()) => {
                    println!("written");
                    console = Console::default();
                    show(flash);
                }
                Err(why) => println!("not written: {why}"),
            },
            Reply::Sleep => return,
        }
    }
}

fn show(flash: &mut Flash) {
    match flash.board() {
        Ok(board) => println!("{board}"),
        Err(why) => println!("no settings: {why}"),
    }
}
