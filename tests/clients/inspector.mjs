// Uses the page of the MCP Inspector as a person does, in a Chromium that runs already and keeps it open from one action to the
// next. Prints what the page then shows. If it does not show what it should, it is printed whole, and a picture is taken of it.
//
//     inspector.mjs NODE_MODULES CHROMIUM PICTURE connect PAGE URL
//     inspector.mjs NODE_MODULES CHROMIUM PICTURE list
//     inspector.mjs NODE_MODULES CHROMIUM PICTURE run TITLE
//     inspector.mjs NODE_MODULES CHROMIUM PICTURE disconnect
import { pathToFileURL } from "node:url";
import { resolve } from "node:path";

const [modules, chromium, picture, action, ...values] = process.argv.slice(2);
const file = resolve(modules, "puppeteer-core/lib/puppeteer/puppeteer-core.js");
const { default: puppeteer } = await import(pathToFileURL(file));
const browser = await puppeteer.connect({ browserWSEndpoint: chromium, defaultViewport: null });
const [page] = await browser.pages();
page.setDefaultTimeout(30_000);
const errors = [];
page.on("console", (message) => message.type() === "error" && errors.push(message.text()));

const text = () => page.evaluate(() => document.body.innerText);
const press = (name, role = "button") => page.locator(`::-p-aria([name="${name}"][role="${role}"])`).click();
// Waits until `look`, which runs in the page, finds something, and returns that.
const see = async (look, ...given) => (await page.waitForFunction(look, {}, ...given)).jsonValue();

const choose = async (list, option) => {
  await page.locator(list).click();
  await press(option, "option");
  await see((id, wanted) => document.querySelector(id).innerText === wanted, list, option);
};

const actions = {
  async connect(address, url) {
    await page.goto(address);
    // What moves is hard to hit.
    await page.addStyleTag({ content: "* { animation: none !important; transition: none !important; }" });
    await choose("#transport-type-select", "Streamable HTTP");
    // Typed over what stands there: the page puts another field in the place of one that is emptied.
    await page.locator("#sse-url-input").click({ count: 3 });
    await page.keyboard.type(url);
    await choose("#connection-type-select", "Direct");
    await press("Connect");
    return see(() => /^Connected\n+.+\n+Version: .+/m.exec(document.body.innerText)?.[0]);
  },

  async list() {
    await press("Tools", "tab");
    await press("List Tools");
    await see(() => /^\d+\. tools\/list$/m.test(document.body.innerText));
    return text();
  },

  async run(title) {
    await page.locator(`::-p-text(${title})`).click();
    // Choosing a tool takes the result of the last call away.
    await see(() => !document.body.innerText.includes("Tool Result:"));
    await press("Run Tool");
    return see(() => /^Tool Result:[^]*(?=^History$)/m.exec(document.body.innerText)?.[0]);
  },

  async disconnect() {
    await press("Disconnect");
    return see(() => /^Disconnected$/m.exec(document.body.innerText)?.[0]);
  },
};

try {
  console.log(await actions[action](...values));
} catch (error) {
  console.log(`${error.name}: ${error.message}\nthe page's errors:`);
  console.log([...errors, "the page:", await text()].join("\n"));
  await page.screenshot({ path: picture });
  process.exitCode = 1;
}
await browser.disconnect();
