// The page's colours, for what is drawn.
export interface Palette {
  ground: string;
  surface: string;
  raised: string;
  ink: string;
  soft: string;
  line: string;
  accent: string;
  good: string;
  goodGround: string;
  busy: string;
  bad: string;
  badGround: string;
  odd: string;
  message: string;
  font: string;
}

export function paletteOf(element: Element): Palette {
  const style = getComputedStyle(element);
  const colour = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  return {
    ground: colour('ground'),
    surface: colour('surface'),
    raised: colour('raised'),
    ink: colour('ink'),
    soft: colour('soft'),
    line: colour('line'),
    accent: colour('accent'),
    good: colour('good'),
    goodGround: colour('good-ground'),
    busy: colour('busy'),
    bad: colour('bad'),
    badGround: colour('bad-ground'),
    odd: colour('odd'),
    message: colour('curve-2'),
    font: style.fontFamily,
  };
}
