//! From a press to sleep: the state machine, its inputs, its outputs.

use crate::button::Button;
use crate::display::Display;
use crate::event::{BROKER, CLOCK, EVENTS, Event, MESSAGES, WIFI};
use crate::power::Power;
use crate::{broker, time};
use bramble_button::{ENTROPY, Input, Millis, Output, Press, State, step};
use bramble_button_settings::Board;
use embassy_executor::{SpawnError, SpawnToken, Spawner};
use embassy_futures::select::{Either3, select3};
use embassy_net::Stack;
use embassy_time::{Instant, Timer};
use esp_hal::peripherals::{ADC1, RNG};
use esp_hal::rng::{Trng, TrngSource};
use esp_println::println;

/// Random bytes of a wake. Wi-Fi is a source of noise as well, but comes later.
pub fn entropy(rng: RNG<'static>, adc: ADC1<'static>) -> [u8; ENTROPY] {
    let source = TrngSource::new(rng, adc);
    let mut bytes = [0; ENTROPY];
    match Trng::try_new() {
        Ok(random) => random.read(&mut bytes),
        // There is a source: it was made above.
        Err(_) => unreachable!("the source of noise is on"),
    }
    drop(source);
    bytes
}

/// Starts a task; there is room for each, once.
pub fn spawn<S>(spawner: &Spawner, token: Result<SpawnToken<S>, SpawnError>) {
    match token {
        Ok(token) => spawner.spawn(token),
        Err(error) => panic!("a task was started twice: {error:?}"),
    }
}

/// Everything that a wake changes.
struct Awake {
    board: &'static Board,
    display: Display,
    /// When the state machine wants to be asked, in milliseconds.
    due: Option<Millis>,
    /// The connection to the broker that counts.
    connection: u32,
    asleep: bool,
}

/// Lives until sleep, which is the end of this program.
#[allow(
    clippy::too_many_arguments,
    reason = "each of it is one thing of the board"
)]
pub async fn live(
    spawner: &Spawner,
    board: &'static Board,
    stack: Stack<'static>,
    mut button: Button,
    display: Display,
    mut power: Power,
    press: Press,
    entropy: [u8; ENTROPY],
) -> ! {
    spawn(spawner, time::tell(board, stack));
    spawn(spawner, broker::connect(board, stack));
    let mut awake = Awake {
        board,
        display,
        due: None,
        connection: 0,
        asleep: false,
    };
    let mut state = awake.step(State::default(), Input::Woken { press, entropy });
    while !awake.asleep {
        power.feed();
        let due = awake.due.unwrap_or_else(now);
        let pressed = async {
            button.pressed().await;
            Event::Pressed
        };
        let event = match select3(
            EVENTS.receive(),
            pressed,
            Timer::at(Instant::from_millis(due)),
        )
        .await
        {
            Either3::First(event) | Either3::Second(event) => Some(event),
            Either3::Third(()) => None,
        };
        let input = match &event {
            Some(event) => event.input(awake.connection),
            None => Some(Input::Timer),
        };
        if let Some(input) = input {
            state = awake.step(state, input);
        }
    }
    awake.display.off();
    power.sleep(button)
}

impl Awake {
    fn step(&mut self, state: State, input: Input<'_>) -> State {
        let (state, outputs) = step(&self.board.button, state, now(), input);
        outputs
            .into_iter()
            .for_each(|output| self.carry_out(output));
        state
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Wifi(wanted) => {
                WIFI.signal(wanted);
                CLOCK.signal(false);
            }
            Output::SyncClock => CLOCK.signal(true),
            Output::Connect => {
                self.connection += 1;
                MESSAGES.clear();
                BROKER.signal(Some(self.connection));
            }
            Output::Disconnect => {
                self.connection += 1;
                BROKER.signal(None);
            }
            Output::Publish(request) => {
                // The state machine makes no requests that can't be said, and asks again if one is lost.
                if let Ok(message) = self.board.button.message(&request) {
                    let _ = MESSAGES.try_send(message);
                }
            }
            Output::Show(screen) => self.display.show(&screen),
            Output::Timer(wait) => self.due = Some(now() + wait),
            Output::Sleep => {
                println!("sleep");
                self.asleep = true;
            }
        }
    }
}

fn now() -> Millis {
    Instant::now().as_millis()
}
