//! What every picture must be: XML that any reader accepts, with words for those who cannot see it.

use roxmltree::{Document, Node};

/// Classes of groups that are marks.
const MARKS: &[&str] = &[
    "bar",
    "bar-sup",
    "call",
    "cast",
    "reply",
    "info",
    "exit",
    "crash",
    "ended",
    "spawn",
    "restart",
    "timeout",
    "late",
    "undelivered",
    "flag",
    "cursor",
    "heat",
    "arc",
    "hover",
];

/// Parses a picture and checks what holds for all; gives the document to the test.
pub fn well_formed<'a>(svg: &'a str) -> Document<'a> {
    let document = Document::parse(svg).unwrap_or_else(|error| panic!("{error}\n{}", &svg[..svg.len().min(2_000)]));
    let root = document.root_element();
    assert_eq!(root.attribute("role"), Some("img"));
    let first: Vec<&str> = root.children().filter(Node::is_element).take(2).map(|n| n.tag_name().name()).collect();
    assert_eq!(first, ["title", "desc"]);
    assert!(svg.contains("prefers-color-scheme:dark"));
    for node in document.descendants().filter(Node::is_element) {
        assert!(!["script", "foreignObject", "image", "a"].contains(&node.tag_name().name()), "{node:?}");
        let is_active = |name: &str| name.starts_with("on") || name.ends_with("href");
        assert!(!node.attributes().any(|attribute| is_active(attribute.name())), "{node:?}");
    }
    for mark in marks(&document) {
        let title = mark.first_element_child().filter(|child| child.tag_name().name() == "title");
        let words = title.and_then(|title| title.text()).unwrap_or_default();
        assert!(!words.trim().is_empty(), "a mark without words: {:?}", mark.attribute("class"));
    }
    let texts = document.descendants().filter_map(|node| node.text());
    texts.for_each(|text| assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}"));
    document
}

/// Groups of a mark's class, legends aside.
pub fn marks<'a, 'input>(document: &'a Document<'input>) -> Vec<Node<'a, 'input>> {
    let is_mark = |node: &Node| {
        let classes = node.attribute("class").unwrap_or_default();
        node.has_tag_name(("http://www.w3.org/2000/svg", "g")) && classes.split(' ').any(|class| MARKS.contains(&class))
    };
    let is_legend = |node: &Node| node.ancestors().any(|above| above.attribute("class") == Some("legend"));
    document.descendants().filter(|node| is_mark(node) && !is_legend(node)).collect()
}

/// Number of marks of one class.
pub fn count(document: &Document, class: &str) -> usize {
    let has = |node: &&Node| node.attribute("class").unwrap_or_default().split(' ').any(|one| one == class);
    marks(document).iter().filter(has).count()
}
