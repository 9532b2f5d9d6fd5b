// Where each tile goes: groups are blocks of square tiles, laid in rows from left to right. The tiles are as large as
// still fits the height; pure, so that it can be tested without a page.

const SMALLEST = 4, LARGEST = 72;
export const LABEL = 15; // pixels above a block
const SPACE = 8; // between blocks
const TALL = 3; // heights of the window; what needs more is shown a tile a group

// groups: [{ key, count }]. Answers { pitch, gap, height, blocks: [{ key, x, y, columns, from, count, width }], isCoarse }.
export function layOut(groups, width, height, zoom = 1) {
  let pitch = LARGEST;
  let made = place(groups, width, pitch);
  while (made.height > height && pitch > SMALLEST) {
    pitch -= pitch > 24 ? 4 : 1;
    made = place(groups, width, pitch);
  }
  if (zoom === 1 && made.height > TALL * height && groups.length > 1) {
    return { ...layOut([{ key: "", count: groups.length }], width, height), isCoarse: true };
  }
  if (zoom > 1) made = place(groups, width, Math.min(2 * LARGEST, Math.round(pitch * zoom)));
  return { ...made, isCoarse: false };
}

function place(groups, width, pitch) {
  const gap = pitch >= 12 ? 2 : pitch >= 6 ? 1 : 0.5;
  const blocks = [];
  let x = 0, y = 0, tallest = 0, from = 0;
  const most = Math.max(1, Math.floor(width / pitch));
  for (const { key, count } of groups) {
    const least = Math.min(most, Math.ceil(52 / pitch)); // room for some letters of its name
    const columns = groups.length === 1 ? most : Math.min(most, Math.max(least, Math.ceil(Math.sqrt(count * 1.8))));
    const rows = Math.max(1, Math.ceil(count / columns));
    const blockWidth = columns * pitch, blockHeight = rows * pitch + (key === "" ? 0 : LABEL);
    if (x > 0 && x + blockWidth > width) { x = 0; y += tallest + SPACE; tallest = 0; }
    blocks.push({ key, x, y, columns, from, count, width: blockWidth, rows });
    x += blockWidth + SPACE;
    tallest = Math.max(tallest, blockHeight);
    from += count;
  }
  return { pitch, gap, height: y + tallest, blocks };
}

// The place of the n-th tile: the pixel at its upper left.
export function placeOf({ blocks, pitch }, n) {
  let low = 0, high = blocks.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (blocks[middle].from <= n) low = middle; else high = middle - 1;
  }
  const block = blocks[low], at = n - block.from;
  return {
    block, x: block.x + (at % block.columns) * pitch,
    y: block.y + (block.key === "" ? 0 : LABEL) + Math.floor(at / block.columns) * pitch,
  };
}

// The tile at a pixel, or -1.
export function tileAt({ blocks, pitch }, x, y) {
  for (const block of blocks) {
    const top = block.y + (block.key === "" ? 0 : LABEL);
    if (x < block.x || x >= block.x + block.width || y < top || y >= top + block.rows * pitch) continue;
    const at = Math.floor((y - top) / pitch) * block.columns + Math.floor((x - block.x) / pitch);
    return at < block.count ? block.from + at : -1;
  }
  return -1;
}
