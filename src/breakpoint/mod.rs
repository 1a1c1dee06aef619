//! Floor 3: conditions, actions, the breakpoint table.
