//! The partition with the settings.

use bramble_button_settings::{BLOCK, Board, Fault, parse, text};
use esp_bootloader_esp_idf::partitions::{
    FlashRegion, PARTITION_TABLE_MAX_LEN, read_partition_table,
};
use esp_hal::peripherals::FLASH;
use esp_storage::FlashStorage;

/// Its name, as in `partitions.csv`.
const NAME: &str = "button";

/// The flash memory.
pub struct Flash(FlashStorage<'static>);

/// Why there are no settings.
#[derive(Debug)]
pub enum Unset {
    /// There is no such partition.
    NoPartition,
    /// It can't be read or written.
    Flash,
    /// There is no text in it.
    Empty,
    /// The text is wrong.
    Wrong(Fault),
}

impl core::fmt::Display for Unset {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Unset::NoPartition => {
                f.write_str("there is no partition `button`: flash with partitions.csv")
            }
            Unset::Flash => f.write_str("the flash memory can't be read or written"),
            Unset::Empty => f.write_str("nothing is set"),
            Unset::Wrong(fault) => write!(f, "{fault}"),
        }
    }
}

impl Flash {
    /// Of this chip.
    pub fn new(flash: FLASH<'static>) -> Self {
        Self(FlashStorage::new(flash))
    }

    /// The settings.
    pub fn board(&mut self) -> Result<Board, Unset> {
        let mut block = [0; BLOCK];
        self.with(|region| region.read(0, &mut block).map_err(|_| Unset::Flash))?;
        let text = text(&block).ok_or(Unset::Empty)?;
        parse(text).map_err(Unset::Wrong)
    }

    /// Writes settings that were read before. Cut off in between, none are left.
    pub fn write(&mut self, text: &str) -> Result<(), Unset> {
        let mut block = [0xff; BLOCK];
        let bytes = text.as_bytes();
        block
            .get_mut(..bytes.len())
            .ok_or(Unset::Flash)?
            .copy_from_slice(bytes);
        self.with(|region| {
            // Fits: a partition has at least one sector.
            let sector = FlashStorage::SECTOR_SIZE;
            let written = region
                .erase(0, sector)
                .and_then(|()| region.write(0, &block));
            written.map_err(|_| Unset::Flash)
        })
    }

    fn with<T>(
        &mut self,
        act: impl FnOnce(&mut FlashRegion<'_, 'static>) -> Result<T, Unset>,
    ) -> Result<T, Unset> {
        let mut table = [0; PARTITION_TABLE_MAX_LEN];
        let table =
            read_partition_table(&mut self.0, &mut table).map_err(|_| Unset::NoPartition)?;
        let entry = table
            .iter()
            .find(|entry| entry.label_as_str() == NAME)
            .ok_or(Unset::NoPartition)?;
        act(&mut entry.as_flash_region(&mut self.0))
    }
}
