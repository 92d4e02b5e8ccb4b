"""Short Mandarin sentences from a grammar over some 150 words, written with blanks between them.

The words were chosen so that no two characters sound the same, tone included (no 她 beside 他):
an error is one of recognition and not of writing. Nouns are sorted by their measure word.
"""

from recipes.minicorpora.grammar import Grammar

RULES = {
    "SENTENCE": """
        WHO 在 PLACE DID 了 THING | WHO PAST DID 了 THING | PAST WHO DID 了 THING
        | WHO PAST 在 PLACE ACTED | PAST WHO 在 PLACE ACTED | WHO 跟 NAME 在 PLACE ACTED
        | WHO FUTURE WILL DO THING | FUTURE WHO WILL 在 PLACE DO THING | WHO WILL DO THING 吗
        | WHO 为什么 DO THING | 谁 PAST DID 了 THING | 谁 在 PLACE DID 了 THING
        | WHO 把 THING 放 在 PLACE | WHO 从 PLACE DID 了 THING | 从 PLACE DID 的 THING 很 ADJECTIVE
        | 这 ITEM 又 ADJECTIVE 又 ADJECTIVE | 那 ITEM 真 ADJECTIVE | NAME 的 NOUN 很 ADJECTIVE
        | WHO 爱 吃 FOOD 和 FOOD | WHO PAST ATE 了 FOOD 和 FOOD | WHO FUTURE 想 吃 FOOD
        | WHO 因为 MOOD 所以 ACTED | PLACE 有 COUNT ITEM | COUNT ITEM 在 PLACE
        | WHO 给 NAME DID 了 THING
    """,
    "WHO": "他 | 我们 | NAME | NAME | PERSON | PERSON | MOOD 的 PERSON",
    "NAME": "王芳 | 刘明 | 郑强 | 周红 | 孙丽",
    "PERSON": "老师 | 医生 | 农民 | 画家 | 军人 | 学生 | 律师 | 警察 | 护士 | 爷爷 | 妈妈 | 弟弟",
    "MOOD": "高兴 | 年轻 | 懒惰 | 聪明 | 生气 | 孤独",
    "THING": "COUNT ITEM | COUNT ITEM | 那 ITEM | 这 ITEM",
    "ITEM": "本 BOOK | 张 SHEET | 把 HANDLE | 只 ANIMAL | 条 LONG | 件 PIECE | 辆 VEHICLE",
    "NOUN": "BOOK | SHEET | HANDLE | ANIMAL | LONG | PIECE | VEHICLE",
    "COUNT": "两 | 三 | 五 | 六 | 七 | 八 | 九 | 十",
    "BOOK": "小说 | 词典 | 杂志",
    "SHEET": "桌子 | 画报 | 照片 | 邮票",
    "HANDLE": "勺子 | 雨伞 | 锤子 | 剪刀",
    "ANIMAL": "猫 | 兔子 | 乌龟 | 老虎 | 鸽子",
    "LONG": "裤子 | 鲸鱼 | 项链 | 围裙",
    "PIECE": "衬衫 | 礼物 | 家具",
    "VEHICLE": "卡车 | 马车 | 火车",
    "ADJECTIVE": "大 | 小 | 旧 | 便宜 | 干净 | 奇怪 | 黑 | 白 | 重 | 贵",
    "DID": "买 | 卖 | 画 | 洗 | 借 | 丢 | 找到 | 拿",
    "DO": "买 | 卖 | 画 | 洗 | 借 | 选择 | 保护 | 打开",
    "WILL": "要 | 应该 | 必须",
    "ACTED": "打球 | 散步 | 休息 | 睡觉 | 聊天 | 看书",
    "ATE": "吃 | 煮 | 尝",
    "FOOD": "面包 | 苹果 | 米饭 | 鸡蛋 | 豆腐 | 牛肉 | 葡萄",
    "PLACE": "商店 | 村庄 | 海边 | 森林 | 厨房 | 车站 | 医院 | 学校 | 邮局 | 图书馆 | 公园",
    "PAST": "昨天 | 去年 | 刚才 | 前天 | 上周",
    "FUTURE": "明天 | 今晚 | 后天 | 春天",
}
MAY_REPEAT = frozenset(["在", "的", "了", "又", "本", "张", "把", "只", "条", "件", "辆"])
GRAMMAR = Grammar(RULES, shortest=4, longest=10, may_repeat=MAY_REPEAT)
