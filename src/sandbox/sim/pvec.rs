//! A persistent vector: a 16-ary tree whose nodes are shared between copies. A clone costs one
//! reference count; a write copies the nodes on its path that are shared and no others. It must
//! not know what it holds.
//!
//! After P. Bagwell and T. Rompf, "RRB-Trees" (2011), without the relaxed nodes.

use std::rc::Rc;

use smallvec::SmallVec;

const BITS: u32 = 4;
const WIDTH: usize = 1 << BITS;

/// A vector whose clones share structure. `get` is O(log16 n); `get_mut`, `push` and `pop` too, plus one
/// node copy per level that is shared.
#[derive(Clone, Debug)]
pub struct PVec<T> {
    root: Option<Rc<Node<T>>>,
    len: usize,
    /// Levels of branches above the leaves.
    height: u32,
}

#[derive(Clone, Debug)]
enum Node<T> {
    Branch(SmallVec<[Rc<Node<T>>; WIDTH]>),
    Leaf(SmallVec<[T; WIDTH]>),
}

impl<T> Default for PVec<T> {
    fn default() -> PVec<T> {
        PVec { root: None, len: 0, height: 0 }
    }
}

impl<T: Clone> PVec<T> {
    pub fn len(&self) -> usize {
        self.len
    }
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn get(&self, idx: usize) -> Option<&T> {
        if idx >= self.len {
            return None;
        }
        let mut node = self.root.as_deref()?;
        let mut shift = self.height * BITS;
        loop {
            match node {
                Node::Branch(children) => node = &children[(idx >> shift) % WIDTH],
                Node::Leaf(items) => return items.get(idx % WIDTH),
            }
            shift = shift.saturating_sub(BITS);
        }
    }

    pub fn get_mut(&mut self, idx: usize) -> Option<&mut T> {
        if idx >= self.len {
            return None;
        }
        let mut node = Rc::make_mut(self.root.as_mut()?);
        let mut shift = self.height * BITS;
        loop {
            match node {
                Node::Branch(children) => node = Rc::make_mut(&mut children[(idx >> shift) % WIDTH]),
                Node::Leaf(items) => return items.get_mut(idx % WIDTH),
            }
            shift = shift.saturating_sub(BITS);
        }
    }

    pub fn push(&mut self, item: T) {
        if self.len == WIDTH << (self.height * BITS) {
            let full = self.root.take().expect("a full tree has a root");
            self.root = Some(Rc::new(Node::Branch(std::iter::once(full).collect())));
            self.height += 1;
        }
        let root = self.root.get_or_insert_with(|| Rc::new(Node::Leaf(SmallVec::new())));
        let mut node = Rc::make_mut(root);
        for level in (0..self.height).rev() {
            let Node::Branch(children) = node else { unreachable!("leaves are at level 0") };
            let idx = (self.len >> ((level + 1) * BITS)) % WIDTH;
            if idx == children.len() {
                let empty = if level == 0 { Node::Leaf(SmallVec::new()) } else { Node::Branch(SmallVec::new()) };
                children.push(Rc::new(empty));
            }
            node = Rc::make_mut(&mut children[idx]);
        }
        let Node::Leaf(items) = node else { unreachable!("leaves are at level 0") };
        items.push(item);
        self.len += 1;
    }

    /// Takes the last item. An emptied vector keeps its node, so that a queue that drains and fills does not allocate.
    pub fn pop(&mut self) -> Option<T> {
        let root = self.root.as_mut().filter(|_| self.len > 0)?;
        let item = pop_last(Rc::make_mut(root));
        self.len -= 1;
        if let Node::Branch(children) = &**root
            && children.len() == 1
        {
            self.root = Some(children[0].clone());
            self.height -= 1;
        }
        item
    }

    pub fn iter(&self) -> impl Iterator<Item = &T> + '_ {
        (0..self.len).filter_map(|idx| self.get(idx))
    }
    /// From the last item to the first.
    pub fn iter_rev(&self) -> impl Iterator<Item = &T> + '_ {
        (0..self.len).rev().filter_map(|idx| self.get(idx))
    }
}

/// Pops from a tree that is not empty; a child that becomes empty goes too.
fn pop_last<T: Clone>(node: &mut Node<T>) -> Option<T> {
    match node {
        Node::Leaf(items) => items.pop(),
        Node::Branch(children) => {
            let last = Rc::make_mut(children.last_mut()?);
            let item = pop_last(last);
            let is_empty = match last {
                Node::Leaf(items) => items.is_empty(),
                Node::Branch(below) => below.is_empty(),
            };
            if is_empty {
                children.pop();
            }
            item
        }
    }
}

impl<T: Clone> FromIterator<T> for PVec<T> {
    fn from_iter<I: IntoIterator<Item = T>>(iter: I) -> PVec<T> {
        let mut vec = PVec::default();
        iter.into_iter().for_each(|item| vec.push(item));
        vec
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::PVec;

    #[derive(Clone, Debug)]
    enum Op {
        Push(u16),
        Pop,
        Set(usize, u16),
        Keep,
    }

    fn ops() -> impl Strategy<Value = Vec<Op>> {
        let op = prop_oneof![
            6 => any::<u16>().prop_map(Op::Push),
            3 => Just(Op::Pop),
            2 => (any::<usize>(), any::<u16>()).prop_map(|(idx, value)| Op::Set(idx, value)),
            1 => Just(Op::Keep),
        ];
        prop::collection::vec(op, 0..900)
    }

    proptest! {
        /// A persistent vector does what `Vec` does, and copies that were kept never change.
        #[test]
        fn agrees_with_vec(ops in ops()) {
            let (mut tree, mut model) = (PVec::default(), Vec::new());
            let mut kept = Vec::new();
            for op in ops {
                match op {
                    Op::Push(value) => { tree.push(value); model.push(value); }
                    Op::Pop => prop_assert_eq!(tree.pop(), model.pop()),
                    Op::Set(idx, value) if !model.is_empty() => {
                        let idx = idx % model.len();
                        *tree.get_mut(idx).expect("in range") = value;
                        model[idx] = value;
                    }
                    Op::Set(..) => {}
                    Op::Keep => kept.push((tree.clone(), model.clone())),
                }
                prop_assert_eq!(tree.len(), model.len());
            }
            kept.push((tree, model));
            for (tree, model) in kept {
                prop_assert_eq!(tree.iter().copied().collect::<Vec<_>>(), model);
            }
        }
    }
}
