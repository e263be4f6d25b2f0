/** Making elements. Whatever is passed as a string becomes text, never markup. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element.
 *
 * @param {string} tag
 * @param {object} props attributes; functions are listeners (`onclick`), `vars` custom properties of its style; what is
 *   null, undefined or false is left out, true is an attribute without a value.
 * @param {...(Node|string|number|null|Array)} children null is left out.
 */
export function el(tag, props = {}, ...children) {
  return build(document.createElement(tag), props, children);
}

/** The same within a drawing. */
export function svg(tag, props = {}, ...children) {
  return build(document.createElementNS(SVG, tag), props, children);
}

function build(node, props, children) {
  for (const [name, value] of Object.entries(props)) {
    if (typeof value === "function") node.addEventListener(name.slice(2), value);
    else if (name === "vars") setVars(node, value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, String(value));
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined).map(asNode));
  return node;
}

function asNode(child) {
  return child instanceof Node ? child : String(child);
}

/** Sets custom properties; the policy of the page forbids style attributes, not this. */
export function setVars(node, vars) {
  for (const [name, value] of Object.entries(vars)) node.style.setProperty(name, String(value));
}

/** The element with this id. */
export const byId = (id) => document.getElementById(id);

/** A value that tells when it changes. */
export function signal(value) {
  const listeners = new Set();
  return {
    get: () => value,
    set(next) {
      if (next === value) return;
      value = next;
      for (const listener of listeners) listener(value);
    },
    on: (listener) => listeners.add(listener),
  };
}

/** What `sessionStorage` or `localStorage` holds, or null where the browser allows none. */
export function recall(storage, name) {
  try {
    return window[storage].getItem(name);
  } catch {
    return null;
  }
}

/** Keeps it there, or forgets it if null, as far as the browser allows. */
export function keep(storage, name, value) {
  try {
    if (value === null) window[storage].removeItem(name);
    else window[storage].setItem(name, value);
  } catch {
    // Kept until the page is left.
  }
}
