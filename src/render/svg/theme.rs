//! The look of every picture: one style sheet, light and dark. Kinds differ by line style as well as by colour
//! (the palette is Okabe and Ito's, made for colour-blind readers).

/// The class of a count among counts of at most `most`: five steps of ink that the eye can tell apart, by the logarithm.
pub fn heat_class(n: u64, most: u64) -> &'static str {
    let share = (n as f64 + 1.0).ln() / (most.max(1) as f64 + 1.0).ln();
    ["heat h1", "heat h2", "heat h3", "heat h4", "heat h5"][((share * 5.0) as usize).min(4)]
}

/// Scoped to `.cinema`, so that pictures can stand inside a page.
pub const CSS: &str = "\
.cinema{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;font-size:12px}
.cinema .bg{fill:#fff}
.cinema text{fill:#1b1f24}
.cinema .title{font-size:18px;font-weight:700}
.cinema .sub,.cinema .dim,.cinema .note{fill:#57606a}
.cinema .small{font-size:10.5px}
.cinema .tick{font-size:11px;fill:#57606a}
.cinema .sup{font-weight:700}
.cinema .halo{paint-order:stroke;stroke:#fff;stroke-width:3.5px;stroke-linejoin:round}
.cinema .band{fill:#f5f7f9}
.cinema .grid{stroke:#e3e7ec;stroke-width:1}
.cinema .lane{stroke:#b4bbc6;stroke-width:1.5}
.cinema .ghost{stroke:#d5dae1;stroke-width:1;stroke-dasharray:1 4}
.cinema .cut{stroke:#8b949e;stroke-width:1;stroke-dasharray:3 3}
.cinema .gap{fill:#fff}
.cinema .cursor{stroke:#1b1f24;stroke-width:1.6;fill:#1b1f24}
.cinema .bar{fill:#a6c5de;stroke:#fff;stroke-width:.7}
.cinema .bar-sup{fill:#d99bc0;stroke:#fff;stroke-width:.7}
.cinema .call,.cinema .cast,.cinema .reply,.cinema .info,.cinema .exit{fill:none;stroke-width:1.25}
.cinema .call{stroke:#0072b2}
.cinema .cast{stroke:#e69f00;stroke-dasharray:1.6 2.4;stroke-width:1.5}
.cinema .reply{stroke:#009e73;stroke-dasharray:5 3}
.cinema .info{stroke:#6e7781;stroke-dasharray:7 2.5 1.5 2.5}
.cinema .exit{stroke:#d55e00;stroke-width:2.4}
.cinema .head{stroke:none;stroke-dasharray:none}
.cinema .call .head{fill:#0072b2}
.cinema .cast .head{fill:#e69f00}
.cinema .reply .head{fill:#009e73}
.cinema .info .head{fill:#6e7781}
.cinema .exit .head{fill:#d55e00}
.cinema .strong{stroke-width:2.2}
.cinema .faint{opacity:.16}
.cinema .crash{stroke:#d55e00;stroke-width:2.6;fill:none}
.cinema .crash text,.cinema .undelivered text{fill:#b34e00;stroke-width:3.5px;font-weight:600}
.cinema .ended{stroke:#57606a;stroke-width:2;fill:none}
.cinema .spawn{stroke:#009e73;stroke-width:2;fill:#fff}
.cinema .restart{stroke:#cc79a7;stroke-width:2.2;fill:none}
.cinema .timeout{stroke:#d55e00;stroke-width:1.8;fill:#fff}
.cinema .late{stroke:#009e73;stroke-width:1.8;fill:#fff}
.cinema .undelivered{stroke:#d55e00;stroke-width:1.8;fill:none}
.cinema .flag{stroke:#1b1f24;stroke-width:1.2;fill:#1b1f24}
.cinema .spawn text,.cinema .restart text,.cinema .timeout text,.cinema .late text,.cinema .ended text,.cinema .flag text{stroke-width:3.5px}
.cinema .on-ink{fill:#fff}
.cinema .box,.cinema .box-sup{stroke:#6b7480;stroke-width:1}
.cinema .box{fill:#e3edf6}
.cinema .box-sup{fill:#ead9ea}
.cinema .box-dead{fill:#fbe3d3;stroke:#d55e00;stroke-width:1.2;stroke-dasharray:4 2}
.cinema .struck{text-decoration:line-through}
.cinema .branch{stroke:#9aa3ae;stroke-width:1}
.cinema .arc{opacity:.62}
.cinema .axis{stroke:#6b7480;stroke-width:1}
.cinema .p{stroke:#57606a;stroke-width:1;stroke-dasharray:2 3}
.cinema .hover circle{opacity:0;stroke-dasharray:none}
.cinema .hover:hover circle{opacity:1}
.cinema .hist{fill:#6fa8d0;stroke:#fff;stroke-width:1}
.cinema .s0,.cinema .s1,.cinema .s2,.cinema .s3,.cinema .s4,.cinema .s5,.cinema .s6,.cinema .s7{fill:none;stroke-width:1.7;stroke-linejoin:round}
.cinema .s0{stroke:#0072b2}
.cinema .s1{stroke:#d55e00;stroke-dasharray:7 3}
.cinema .s2{stroke:#009e73;stroke-dasharray:2 2.5}
.cinema .s3{stroke:#cc79a7;stroke-dasharray:9 3 2 3}
.cinema .s4{stroke:#e69f00;stroke-dasharray:4 2}
.cinema .s5{stroke:#56b4e9;stroke-dasharray:12 3}
.cinema .s6{stroke:#6e7781;stroke-dasharray:1.5 4}
.cinema .s7{stroke:#8c6d1f;stroke-dasharray:6 2 2 2 2 2}
.cinema .pale{opacity:.4}
.cinema .heat{fill:#0072b2}
.cinema .h1{opacity:.16}.cinema .h2{opacity:.34}.cinema .h3{opacity:.54}.cinema .h4{opacity:.76}
@media (prefers-color-scheme:dark){
.cinema .bg,.cinema .gap{fill:#12161c}
.cinema text{fill:#e6edf3}
.cinema .sub,.cinema .dim,.cinema .note,.cinema .tick{fill:#9aa4af}
.cinema .halo{stroke:#12161c}
.cinema .band{fill:#181d25}
.cinema .grid{stroke:#29303a}
.cinema .lane{stroke:#566070}
.cinema .ghost{stroke:#39424e}
.cinema .cut{stroke:#7d8793}
.cinema .cursor,.cinema .flag{stroke:#e6edf3;fill:#e6edf3}
.cinema .bar{fill:#33597a;stroke:#12161c}
.cinema .bar-sup{fill:#8a4f74;stroke:#12161c}
.cinema .call{stroke:#4ba3dc}.cinema .call .head{fill:#4ba3dc}
.cinema .cast{stroke:#f0b840}.cinema .cast .head{fill:#f0b840}
.cinema .reply{stroke:#2fc79a}.cinema .reply .head{fill:#2fc79a}
.cinema .info{stroke:#9aa4af}.cinema .info .head{fill:#9aa4af}
.cinema .exit{stroke:#ff7f3a}.cinema .exit .head{fill:#ff7f3a}
.cinema .faint{opacity:.2}
.cinema .crash,.cinema .undelivered{stroke:#ff7f3a}
.cinema .crash text,.cinema .undelivered text{fill:#ff9a63}
.cinema .ended{stroke:#9aa4af}
.cinema .spawn,.cinema .late{stroke:#2fc79a;fill:#12161c}
.cinema .restart{stroke:#e59cc4}
.cinema .timeout{stroke:#ff7f3a;fill:#12161c}
.cinema .heat{fill:#4ba3dc}
.cinema .on-ink{fill:#0b0f14}
.cinema .box{fill:#1d2f40}.cinema .box-sup{fill:#3b2a3d}
.cinema .box,.cinema .box-sup{stroke:#7d8793}
.cinema .box-dead{fill:#3f2415;stroke:#ff7f3a}
.cinema .branch{stroke:#5d6774}
.cinema .axis{stroke:#8b949e}
.cinema .p{stroke:#9aa4af}
.cinema .hist{fill:#3f7fae;stroke:#12161c}
.cinema .s0{stroke:#4ba3dc}.cinema .s1{stroke:#ff7f3a}.cinema .s2{stroke:#2fc79a}.cinema .s3{stroke:#e59cc4}
.cinema .s4{stroke:#f0b840}.cinema .s5{stroke:#8fd0ff}.cinema .s6{stroke:#9aa4af}.cinema .s7{stroke:#c9a94f}
}
";
