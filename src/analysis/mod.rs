//! Floor 3: answers over a recording: latency, flow, patterns, why.
