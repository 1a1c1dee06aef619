//! How fast a trace is understood, without a store behind it: a figure to compare before and after a change,
//! best by its instructions (`valgrind --tool=callgrind`).

use std::time::Instant;

use cinema::sandbox::import::import;

use super::data;

#[test]
#[ignore = "a figure: cargo test --release --test import speed -- --ignored --nocapture"]
fn trace_messages_per_second() {
    let n_rounds: usize = std::env::var("ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(50);
    let file = data("ejabberd-small.trace");
    let mut rates: Vec<f64> = (0..n_rounds)
        .map(|_| {
            let begun = Instant::now();
            let report = import(&file, &mut |_| Ok(()), &mut |_| true).expect("the file is a trace");
            report.n_frames as f64 / begun.elapsed().as_secs_f64()
        })
        .collect();
    rates.sort_by(f64::total_cmp);
    println!("{:.2} M messages/s, median of {n_rounds}", rates[rates.len() / 2] / 1e6);
}
