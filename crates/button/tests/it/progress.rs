use bramble_button::progress::{by_steps, by_time};
use proptest::prelude::*;

#[test]
fn the_law_at_its_corners() {
    let average = 160_000;
    assert_eq!(by_time(0, average), 10);
    assert_eq!(by_time(average / 2, average), 54);
    assert_eq!(by_time(average - 1, average), 98);
    assert_eq!(by_time(average, average), 99);
    assert_eq!(by_time(u64::MAX, average), 99);
    assert_eq!(by_time(0, 0), 99);
    assert_eq!((by_steps(0), by_steps(50), by_steps(100)), (10, 54, 99));
}

proptest! {
    #[test]
    fn it_never_goes_back_and_never_says_100(a in any::<u64>(), b in any::<u64>(), average in any::<u64>()) {
        let (early, late) = (a.min(b), a.max(b));
        prop_assert!(by_time(early, average) <= by_time(late, average));
        prop_assert!((10..=99).contains(&by_time(late, average)));
    }

    #[test]
    fn steps_have_the_same_scale(a in any::<u8>(), b in any::<u8>()) {
        prop_assert!(by_steps(a.min(b)) <= by_steps(a.max(b)));
        prop_assert!((10..=99).contains(&by_steps(a)));
    }
}
