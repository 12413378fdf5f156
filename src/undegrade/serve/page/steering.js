// The strength: while its slider moves, only the middle of the view is restored.

import * as calls from "./calls.js";
import { warn } from "./notices.js";
import * as panel from "./panel.js";
import * as viewer from "./viewer.js";

const parts = { side: 192, box: null, busy: false, next: null };

// Restores the middle of the view at the strength of the slider; of several requests only the newest is done.
export async function steer(item, isShown) {
  panel.showStrength();
  if (!item?.found || document.getElementById("strength").disabled) return;
  parts.box ??= viewer.middlePart(parts.side);
  parts.next = { item, box: parts.box, asked: panel.readAsked(0), whole: item.result };
  if (parts.busy) return;
  parts.busy = true;
  while (parts.next) {
    const { item: of, box, asked, whole } = parts.next;
    parts.next = null;
    const began = performance.now();
    try {
      const blob = await calls.part(of.number, asked, box.rows, box.columns);
      // Once the whole picture is there, a part asked for before would cover its middle for good.
      if (isShown(of) && of.result === whole) viewer.setPart(URL.createObjectURL(blob), box.rows, box.columns);
    } catch (error) {
      warn(error.message);
    }
    const took = performance.now() - began;
    document.body.dataset.partTook = Math.round(took);
    // As large as can be answered in well under a second.
    if (took < 300) parts.side = Math.min(parts.side + 64, 512);
    else if (took > 800) parts.side = Math.max(parts.side - 64, 128);
  }
  parts.busy = false;
}

// The next time the middle is looked for anew.
export function forgetPart() {
  parts.box = null;
}
