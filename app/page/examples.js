/** Texts to begin with, in both languages; the first of each language stands there when the page opens. */
export const EXAMPLES = [
  { lang: "en", name: "Not bad", text: "Not bad at all, I would buy it again." },
  { lang: "en", name: "Not good", text: "This is not a good film, and nobody will miss it." },
  { lang: "en", name: "A fact", text: "The hotel is next to the station." },
  { lang: "en", name: "Mixed", text: "The hotel was spotless and the staff were kind. Sadly, the room was so loud that we could not sleep." },
  { lang: "zh", name: "酒店", text: "这家酒店很干净，服务也周到。下次还会来。" },
  { lang: "zh", name: "不值", text: "质量太差了，一点都不值这个价。" },
  { lang: "zh", name: "事实", text: "会议改到周三下午三点。" },
  { lang: "zh", name: "有褒有贬", text: "书的内容不错，可惜印刷模糊。送货倒是很快！" },
];
