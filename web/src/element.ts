/** `<aec-img src="picture.aec" alt="…">`: shows a .aec image as `<img>` shows others. */

import { Decoder, sizeOf, toBitmap } from "./index.js";

/** Pixels of decoded pictures that are kept for elements to come. */
const KEPT_PIXELS = 2 ** 25;

const STYLE = `
:host { display: inline-block; overflow: hidden; max-width: 100%; vertical-align: bottom; }
:host([hidden]) { display: none; }
canvas { display: block; width: 100%; height: 100%; object-fit: inherit; }
canvas[hidden], span[hidden] { display: none; }
`;

interface Loaded {
  bitmap: ImageBitmap;
}

/** Decoded pictures by address, the one used last at the end. */
class Cache {
  private readonly entries = new Map<string, Promise<Loaded>>();
  private readonly sizes = new Map<string, number>();

  get(url: string, load: () => Promise<Loaded>): Promise<Loaded> {
    const entry = this.entries.get(url) ?? load();
    this.entries.delete(url);
    this.entries.set(url, entry);
    entry.then(
      ({ bitmap }) => {
        this.sizes.set(url, bitmap.width * bitmap.height);
        this.shrink();
      },
      () => this.entries.delete(url),
    );
    return entry;
  }

  private shrink(): void {
    let pixels = [...this.sizes.values()].reduce((sum, size) => sum + size, 0);
    for (const url of this.entries.keys()) {
      if (pixels <= KEPT_PIXELS || this.entries.size === 1) return;
      const size = this.sizes.get(url);
      if (size === undefined) continue; // still on its way
      this.entries.delete(url);
      this.sizes.delete(url);
      pixels -= size;
    }
  }
}

/**
 * The custom element. Attributes are those of `<img>`: `src`, `alt`, `width`, `height`, and `loading="lazy"`.
 *
 * Fires `load` when the picture is shown and `error`, with the error as `detail`, when it can't be.
 */
export class AecImage extends HTMLElement {
  static readonly observedAttributes = ["src", "alt", "width", "height"];
  /** What decodes for all elements; replace it to take models from elsewhere. */
  static decoder: Decoder | null = null;
  private static readonly cache = new Cache();

  private readonly canvas = document.createElement("canvas");
  private readonly text = document.createElement("span");
  private readonly observer = new IntersectionObserver(
    (entries) => {
      if (entries.some((entry) => entry.isIntersecting)) this.load();
    },
    { rootMargin: "200px" },
  );
  private readonly size = new CSSStyleSheet();
  /** which `src` is shown or on its way */
  private current: string | null = null;
  /** whether the picture that `src` names is shown */
  complete = false;
  naturalWidth = 0;
  naturalHeight = 0;

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet, this.size];
    this.canvas.hidden = true;
    root.append(this.canvas, this.text);
  }

  connectedCallback(): void {
    if (!this.hasAttribute("role")) this.setAttribute("role", "img");
    this.start();
  }

  disconnectedCallback(): void {
    this.observer.disconnect();
  }

  attributeChangedCallback(name: string): void {
    if (name === "src") this.start();
    if (name === "alt") {
      this.text.textContent = this.getAttribute("alt");
      this.setAttribute("aria-label", this.getAttribute("alt") ?? "");
    }
    if (name === "width" || name === "height") this.layOut();
  }

  get src(): string {
    return this.getAttribute("src") ?? "";
  }

  set src(value: string) {
    this.setAttribute("src", value);
  }

  get alt(): string {
    return this.getAttribute("alt") ?? "";
  }

  set alt(value: string) {
    this.setAttribute("alt", value);
  }

  private start(): void {
    this.observer.disconnect();
    if (!this.isConnected || !this.src) return;
    if (this.getAttribute("loading") === "lazy") this.observer.observe(this);
    else this.load();
  }

  private async load(): Promise<void> {
    this.observer.disconnect();
    const url = new URL(this.src, document.baseURI).href;
    if (this.current === url) return;
    this.current = url;
    this.complete = false;
    try {
      const { bitmap } = await AecImage.cache.get(url, () => this.decode(url));
      if (this.current !== url) return;
      this.setSize(bitmap.width, bitmap.height);
      this.canvas.width = bitmap.width;
      this.canvas.height = bitmap.height;
      this.canvas.getContext("2d")?.drawImage(bitmap, 0, 0);
      this.show(true);
      this.dispatchEvent(new Event("load"));
    } catch (error) {
      if (this.current !== url) return;
      this.current = null;
      this.show(false);
      this.dispatchEvent(new CustomEvent("error", { detail: error }));
    }
  }

  private async decode(url: string): Promise<Loaded> {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`${url}: ${response.status} ${response.statusText}`);
    const data = await received(response, (start) => {
      if (this.current === url) this.setSizeFrom(start);
    });
    AecImage.decoder ??= new Decoder();
    return { bitmap: await toBitmap(await AecImage.decoder.decode(data)) };
  }

  /** The size, as soon as it is known; whether it is. */
  private setSizeFrom(start: Uint8Array): boolean {
    const size = sizeOf(start);
    if (size) this.setSize(size.width, size.height);
    return size !== null;
  }

  private setSize(width: number, height: number): void {
    this.naturalWidth = width;
    this.naturalHeight = height;
    this.layOut();
  }

  /** As `<img>`: the picture's size where nothing else is said, and its shape where one side is. */
  private layOut(): void {
    const side = (name: string) => (/^\d+$/.test(this.getAttribute(name) ?? "") ? `${this.getAttribute(name)}px` : null);
    const [width, height] = [side("width"), side("height")];
    const natural = this.naturalWidth ? `${this.naturalWidth}px` : "auto";
    const shape = this.naturalWidth ? `${this.naturalWidth} / ${this.naturalHeight}` : "auto";
    this.size.replaceSync(
      `:host { width: ${width ?? (height ? "auto" : natural)}; height: ${height ?? "auto"}; aspect-ratio: ${shape}; }`,
    );
  }

  private show(shown: boolean): void {
    this.complete = shown;
    this.canvas.hidden = !shown;
    this.text.hidden = shown;
  }
}

/** The body of a response; `look` is shown its beginning until it has seen enough. */
async function received(response: Response, look: (start: Uint8Array) => unknown): Promise<Uint8Array> {
  if (!response.body) return new Uint8Array(await response.arrayBuffer());
  const parts: Uint8Array[] = [];
  let size = 0;
  let seen = false;
  const joined = () => {
    const all = new Uint8Array(size);
    let at = 0;
    for (const part of parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  };
  for (const reader = response.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) return joined();
    parts.push(value);
    size += value.length;
    if (!seen) seen = Boolean(look(joined()));
  }
}

customElements.define("aec-img", AecImage);
