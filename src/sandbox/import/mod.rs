//! Foreign recordings: the binary trace files of dbg and ttb.
