"""The style sheet of the report: one column, light or dark following the reader's system."""

CSS = """
:root { color-scheme: light dark; --ground: #ffffff; --card: #f6f7f9; --ink: #1f2937;
  --muted: #6b7280;
  --line: #e2e5ea; --accent: #0072b2; --bar: rgb(0 114 178 / .16); }
@media (prefers-color-scheme: dark) {
  :root { --ground: #14171c; --card: #1c2027; --ink: #e5e7eb; --muted: #9aa3af;
    --line: #2f353f; --accent: #56b4e9; --bar: rgb(86 180 233 / .25); }
  img.plot { filter: invert(.92) hue-rotate(180deg); }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial,
  sans-serif; }
main { max-width: 68rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { font-size: 2rem; line-height: 1.2; margin: 0; letter-spacing: -.01em;
  overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 3rem 0 .25rem; }
p { margin: .25rem 0 1rem; max-width: 46rem; }
.lead, .caption, footer { color: var(--muted); }
nav { display: flex; flex-wrap: wrap; gap: .25rem 1.1rem; margin: 1rem 0 1.5rem;
  font-size: .92rem; }
a { color: var(--accent); text-decoration: none; }
a:hover { text-decoration: underline; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr));
  gap: .75rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .6rem;
  padding: .8rem 1rem; }
.card b { display: block; font-size: 1.9rem; line-height: 1.2; font-weight: 650; }
.card small { display: block; color: var(--muted); line-height: 1.35; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: .6rem;
  margin: .5rem 0 1rem; }
.scroll.figure { padding: .75rem; }
.scroll img { display: block; height: auto; margin: 0 auto; max-width: 100%;
  min-width: min(34rem, .7 * var(--width)); }
.scroll img.picture { min-width: min(48rem, .65 * var(--width)); }
@media (max-width: 40rem) { td.text { min-width: 20rem; } }
table { border-collapse: collapse; width: 100%; font-size: .9rem;
  font-variant-numeric: tabular-nums; }
th, td { padding: .45rem .75rem; text-align: left; border-top: 1px solid var(--line);
  vertical-align: top; }
th { font-weight: 600; white-space: nowrap; color: var(--muted); background: var(--card);
  border-top: 0; }
td.number, th.number { text-align: right; white-space: nowrap; }
td.bar { background: linear-gradient(to right, var(--bar) calc(var(--value) * 1%), transparent
  0); }
td.name { white-space: nowrap; }
td.bar { min-width: 6rem; }
td.text { min-width: 12rem; color: var(--muted); }
.suspect { background: var(--card); border: 1px solid var(--line); border-radius: .6rem;
  padding: .8rem 1rem; margin: .75rem 0; overflow-wrap: anywhere; }
.suspect h3 { font-size: 1rem; margin: 0; }
.suspect p { margin: .1rem 0 .6rem; }
.panels { display: grid; grid-template-columns: repeat(3, minmax(0, 20rem)); gap: .5rem; }
.panels figure { margin: 0; }
.panels img { display: block; width: 100%; height: auto; border-radius: .3rem; }
figcaption, .legend { color: var(--muted); font-size: .85rem; }
.suspect .legend { display: flex; flex-wrap: wrap; gap: .1rem 1rem; margin: .4rem 0 0; }
.chip::before { content: ""; display: inline-block; width: .7em; height: .7em;
  margin-right: .4em; border-radius: .15em; background: var(--colour); }
details { margin: .5rem 0; }
summary { cursor: pointer; color: var(--accent); }
pre { background: var(--card); border: 1px solid var(--line); border-radius: .6rem;
  padding: 1rem;
  overflow-x: auto; font: .82rem/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
footer { margin-top: 3rem; font-size: .85rem; border-top: 1px solid var(--line);
  padding-top: 1rem; }
@media print { nav { display: none; } .scroll { overflow: visible; } }
"""
