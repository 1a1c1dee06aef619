//! Right checksums for a file that was changed, as a forger would make them: readers then see what the change means,
//! instead of that there was one. For tests and fuzzing.

use super::{BLOCK_HEAD_BYTES, BLOCK_MAGIC, Block, BlockHead, BlockKind, FILE_HEAD_BYTES, MAGIC, PAGE_BYTES, VERSION};
use crate::store::payloads;
use crate::store::segment::{Head, Segment};
use crate::store::wire::Reader;

/// Makes the head and the checksums of all blocks right, payload blocks inside a segment included; a length beyond the
/// file becomes what is left. The directory has checksums, too: it goes, so that the blocks are believed.
pub fn forge(file: &mut Vec<u8>) {
    file.resize(file.len().max(FILE_HEAD_BYTES), 0);
    file[..8].copy_from_slice(MAGIC);
    file[8..12].copy_from_slice(&VERSION.to_le_bytes());
    let form = u32::from(file[12]) % 2;
    file[12..16].copy_from_slice(&form.to_le_bytes());
    let mut offset = FILE_HEAD_BYTES;
    // Where the newest segment's content lies, to be made right when its payloads are known.
    let mut segment = 0..0;
    while let Some((kind, n_bytes)) = claimed(file, offset) {
        if kind == BlockKind::Directory {
            file.truncate(offset);
            return;
        }
        let begin = offset + BLOCK_HEAD_BYTES;
        let content = begin..begin + usize::try_from(n_bytes).unwrap_or(usize::MAX).min(file.len() - begin);
        match kind {
            BlockKind::Segment => segment = content.clone(),
            BlockKind::Payloads => seal_segment(file, &segment, &content),
            _ => {}
        }
        seal_block(file, kind, &content);
        offset = content.end.next_multiple_of(8);
    }
}

/// Kind and length that a header claims, whatever its checksum.
fn claimed(file: &[u8], offset: usize) -> Option<(BlockKind, u64)> {
    let mut reader = Reader::new(file.get(offset..offset + BLOCK_HEAD_BYTES)?);
    let magic = reader.u32()?;
    let kind = BlockKind::from_u32(reader.u32()?)?;
    (magic == BLOCK_MAGIC).then_some((kind, reader.u64()?))
}

fn seal_block(file: &mut [u8], kind: BlockKind, content: &std::ops::Range<usize>) {
    let checksum = crc32fast::hash(&file[content.clone()]);
    let head = BlockHead { kind, n_bytes: content.len() as u64, checksum }.to_bytes();
    file[content.start - BLOCK_HEAD_BYTES..content.start].copy_from_slice(&head);
}

/// Makes right what a segment says of its payload blocks, its pages and its image.
fn seal_segment(file: &mut [u8], content: &std::ops::Range<usize>, stored: &std::ops::Range<usize>) {
    let mut reader = Reader::new(&file[content.clone()]);
    let Some(head) = Head::read(&mut reader, VERSION) else { return };
    let n_head = content.len() - reader.n_left();
    let image = content.start + (n_head + 8).next_multiple_of(8)..content.end;
    if image.start > image.end {
        return;
    }
    let [at, len, _] = head.section("blocks").map(|word| word as usize);
    let columns = Segment::raw_of(&head, &file[image.clone()]);
    for place in 0..columns.blocks.len().min(len / 16) {
        let columns = Segment::raw_of(&head, &file[image.clone()]);
        let range = payloads::stored_range(columns.blocks, place);
        let bytes = file[stored.clone()].get(range).unwrap_or_default();
        let checksum = crc32fast::hash(bytes).to_le_bytes();
        let entry = image.start + at + place * 16;
        file[entry + 12..entry + 16].copy_from_slice(&checksum);
    }
    let checksum = crc32fast::hash(&file[image.clone()]).to_le_bytes();
    let place = content.start + n_head;
    file[place..place + 4].copy_from_slice(&checksum);
    let own = crc32fast::hash(&file[content.start..place + 4]).to_le_bytes();
    file[place + 4..place + 8].copy_from_slice(&own);
    seal_block(file, BlockKind::Segment, content);
    // The pages stand behind the image; when there are as many as it has.
    if let Some(pages) =
        Block::at(file, content.end.next_multiple_of(8)).filter(|block| block.head.kind == BlockKind::Pages)
    {
        let sums: Vec<u8> =
            file[image].chunks(PAGE_BYTES).flat_map(|page| crc32fast::hash(page).to_le_bytes()).collect();
        if sums.len() == pages.content.len() {
            file[pages.content.clone()].copy_from_slice(&sums);
            seal_block(file, BlockKind::Pages, &pages.content);
        }
    }
}
