/**
 * The client's colours made readable: what client.config.json names is shifted only as far as contrast asks.
 *
 * Contrast is that of WCAG 2.2: 4.5 for text (1.4.3), 3 for the shape of a control (1.4.11).
 */
type Colour = readonly [red: number, green: number, blue: number];

export interface BrandColours {
  brand: string;
  brandContrast: string;
  brandStrong: string;
  brandText: string;
  brandSoft: string;
}

interface Ground {
  surface: Colour;
  /** Of the grounds that text stands on, the one that leaves least contrast. */
  hardest: Colour;
  /** Where a colour goes that must stand out more. */
  away: Colour;
}

const WHITE: Colour = [255, 255, 255];
const BLACK: Colour = [0, 0, 0];
/** As in app/globals.css: --surface and --surface-muted. */
const GROUNDS: Record<"light" | "dark", Ground> = {
  light: { surface: WHITE, hardest: [0xf1, 0xf0, 0xee], away: BLACK },
  dark: { surface: [0x1b, 0x1f, 0x23], hardest: [0x26, 0x2b, 0x30], away: WHITE },
};

/** Contrast of two colours such as #0f766e, from 1 to 21. */
export function contrast(one: string, other: string): number {
  return contrastOf(parse(one), parse(other));
}

/** The brand's colours for a theme, from the one that the client chose. */
export function brandColours(primary: string, theme: "light" | "dark"): BrandColours {
  const ground = GROUNDS[theme];
  const chosen = parse(primary);
  const brand = shift(chosen, ground.away, (colour) => contrastOf(colour, ground.surface) >= 3);
  const label = contrastOf(WHITE, brand) >= 4.5 ? WHITE : BLACK;
  const soft = mix(ground.surface, brand, 0.12);
  const text = shift(
    chosen,
    ground.away,
    (colour) => contrastOf(colour, ground.hardest) >= 4.5 && contrastOf(colour, soft) >= 4.5,
  );
  return {
    brand: hex(brand),
    brandContrast: hex(label),
    // Away from the label, so that it stays as readable while the pointer is on it.
    brandStrong: hex(mix(brand, label === WHITE ? BLACK : WHITE, 0.16)),
    brandText: hex(text),
    brandSoft: hex(soft),
  };
}

/** The rules that put the client's colours over those of app/globals.css, in both themes. */
export function brandStyles(primary: string, accent: string): string {
  const rules = (colours: BrandColours) =>
    `--brand:${colours.brand};--brand-contrast:${colours.brandContrast};--brand-strong:${colours.brandStrong};` +
    `--brand-text:${colours.brandText};--brand-soft:${colours.brandSoft};--accent:${accent}`;
  return `html:root{${rules(brandColours(primary, "light"))}}html.dark{${rules(brandColours(primary, "dark"))}}`;
}

/** The nearest colour on the way to `away` that is good enough. */
function shift(colour: Colour, away: Colour, isEnough: (colour: Colour) => boolean): Colour {
  for (let step = 0; step <= 50; step += 1) {
    const tried = mix(colour, away, step / 50);
    if (isEnough(tried)) return tried;
  }
  return away;
}

function mix(one: Colour, other: Colour, share: number): Colour {
  const at = (index: 0 | 1 | 2) => Math.round(one[index] + (other[index] - one[index]) * share);
  return [at(0), at(1), at(2)];
}

function contrastOf(one: Colour, other: Colour): number {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

function luminance([red, green, blue]: Colour): number {
  const linear = (value: number) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
}

function parse(text: string): Colour {
  const at = (start: number) => Number.parseInt(text.slice(start, start + 2), 16);
  return [at(1), at(3), at(5)];
}

function hex(colour: Colour): string {
  return `#${colour.map((part) => part.toString(16).padStart(2, "0")).join("")}`;
}
